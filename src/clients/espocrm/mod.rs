//! EspoCRM REST client.
