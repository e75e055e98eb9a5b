//! What `--help` says beyond the options: examples, exit codes, where the settings are. A paragraph is one line, which
//! clap wraps to the terminal.

/// Ends the help of every command.
macro_rules! ending {
    ($codes:literal) => {
        concat!(
            "\n\nExit codes: ",
            $codes,
            "\nSettings: environment, .env and --config FILE; docs/settings.md describes them, `advosync config` \
             shows which are in effect."
        )
    };
}

pub(super) const MAIN: &str = "\
Examples:
  advosync up                      everything in one process, with a Redis of its own
  advosync doctor                  is everything set up? what is to be done?
  advosync status                  what waits, runs and failed?
  advosync sync SB --wait          sync one employee's calendar and wait for the end
  advosync dead list               jobs that failed for good
  advosync schedule '0 2 * * *'    when does this expression fire?
  advosync COMMAND --help          options, examples and exit codes of one command

Exit codes:
  0   done
  1   failed: the message says what to do
  2   the command line is not understood
  78  the settings are not usable: every fault is listed, nothing was started

Settings come from the environment, .env and --config FILE; docs/settings.md describes all of them, \
`advosync config` shows which are in effect. Results go to stdout; logs, warnings and progress go to stderr.";

pub(super) const ROLE: &str = concat!(
    "Runs until SIGTERM or Ctrl-C; running jobs then have ADVOSYNC_DRAIN_SECONDS to end.",
    ending!("0 stopped as asked, 1 cannot run (the message says why), 78 settings not usable")
);

pub(super) const MIGRATE: &str = concat!(
    "Examples:\n  advosync migrate --dry-run    what would be done?\n  advosync migrate",
    ending!("0 the layout is in place, 1 failed (the message says what to do), 78 settings not usable")
);

pub(super) const STATUS: &str = concat!(
    "\
Examples:
  advosync status                                              tables, and remarks on what to do
  advosync status --json | jq .flows.vmh.dead

Ready: asked for by people and webhooks; sweep: by schedules; scheduled: waits for its time, such as a \
retry; parked: waits for another run of the same record or employee; dead: failed for good.",
    ending!("0 also where something is wrong (see the remarks), 1 Redis is out of reach, 78 settings not usable")
);

pub(super) const SYNC: &str = concat!(
    "\
Examples:
  advosync sync                          all employees
  advosync sync SB --wait                one, and wait for the end
  advosync sync SB --anonymised          from now on without titles and details, until --full
  advosync sync SB --confirm-deletions   carry out deletions that were held back

A job that is queued already is not queued again. --wait gives up when no worker reads the calendars \
for 20 seconds; the job stays queued.",
    ending!("0 queued (with --wait: done), 1 failed or dead (the message says what to do), 78 settings not usable")
);

pub(super) const RECORD: &str = concat!(
    "\
Examples:
  advosync record beteiligte 6a1f0c2d3e4b5a697             check it now
  advosync record beteiligte 6a1f0c2d3e4b5a697 --wait      and wait for the end
  advosync record beteiligte 6a1f0c2d3e4b5a697 --inspect   what would be written? writes nothing
  advosync record beteiligte --all                         compare every record; Ctrl-C stops the waiting, not the work

The id stands at the end of the record's address in EspoCRM: …/#CBeteiligte/view/6a1f0c2d3e4b5a697

--all goes on where an earlier one was stopped. At most 400 records wait for a worker at a time, in the lane of the sweeps, \
so that webhooks pass them.",
    ending!(
        "0 queued, or queued already (with --wait: done; with --all: every record compared), 1 failed or dead (the message says what to do), 78 settings not usable"
    )
);

pub(super) const DEAD: &str = concat!(
    "\
Examples:
  advosync dead list --flow vmh
  advosync dead show 1780000000000-0
  advosync dead replay 1780000000000-0
  advosync dead replay --since 2h                 everything that died in the last two hours
  advosync dead replay --topic calendar_sync_employee
  advosync dead replay --from 1780000000000-0 --to 1780000360000-0
  advosync dead decide 1780000000000-0             a record that several parties fit (code needs_person): both sides by side
  advosync dead decide 1780000000000-0 --this 100007        it is this one
  advosync dead decide 1780000000000-0 --create --wait      it is none of them: create it
  advosync dead discard 1780000000000-0           for good: the job is not run again

Ids are looked for in both flows. An id that is not there stops the whole command: nothing is done. A range includes \
both its ends, which need not be there.",
    ending!("0 done, 1 no such job or Redis out of reach, 78 settings not usable")
);

pub(super) const DOCTOR: &str = concat!(
    "\
Prints one line a check: ok; warn: works, and deserves a look; FAIL: something is to be done, and what; \
note: was not checked, and why. Changes nothing. Every check runs, whatever the others find.

EspoCRM's webhooks are checked where ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD are set.",
    ending!("0 nothing must be done, 1 at least one FAIL")
);

pub(super) const MAPPING_CHECK: &str = concat!(
    "\
Examples:
  advosync mapping check mappings/akten.toml          every fault with file, line and key; needs nothing else
  advosync mapping check --json mappings/*.toml
  advosync mapping check --live mappings/akten.toml   are the fields there at both ends, and do they fit?

Sends samples through every field, from EspoCRM to Advoware and back, and says what arrives and what the \
conversion leaves where it is. The built-in mappings count: no two may have one entity.

--live signs in at EspoCRM and Advoware with the settings in effect, reads EspoCRM's field definitions and one \
record of Advoware's list, and writes nothing. Advoware describes no fields, so a list that is empty or refused \
is a note.",
    ending!("0 the files can be used, 1 something is to be done, 78 settings not usable (with --live)")
);

pub(super) const SETUP_ESPOCRM: &str = concat!(
    "\
Examples:
  advosync setup espocrm --dry-run                           what would be created? creates nothing
  advosync setup espocrm --url http://advosync.example:3000  create it, print the webhooks' secrets
  advosync setup espocrm --url http://advosync.example:3000 --write-env  put the secrets into .env instead

Needs ESPOCRM_API_BASE_URL, and ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD of an administrator \
without two-factor sign-in. Without --url new webhooks go where ours go already, else to http://127.0.0.1:3000 \
(ADVOSYNC_LISTEN), which only an EspoCRM on this machine reaches. With ESPOCRM_API_KEY the API user owns the webhooks; EspoCRM 9.2 and later \
then does not send back what advosync itself has changed.

Prints all webhooks' ids and secrets to stdout: set ESPOCRM_WEBHOOK_SECRET to that list. With --write-env \
they go into the file and are printed nowhere: entries and lines that are there stay, another secret for \
a webhook stays too unless --replace is given, and the file is closed to others. What was done is told on \
stderr. Safe to repeat: it looks first, so one that died is completed by the next.",
    ending!("0 everything is there, 1 something could not be created, 78 settings not usable")
);

pub(super) const CONFIG: &str = concat!(
    "Examples:\n  advosync config\n  advosync config --json | jq .settings.ADVOSYNC_LEASE",
    ending!("0, or 78 where the settings are not usable: the faults are on stderr")
);

pub(super) const TOKEN_NEW: &str = "\
Examples:
  advosync token new n8n --scope trigger
  advosync token new anna --scope read --scope trigger

The token is shown once, on stdout, and kept nowhere: its entry, on stderr, has only its hash; put that into the file \
that ADVOSYNC_CALLERS_FILE names. Scopes: read opens the console's pages, trigger the \
calendar trigger, proxy /api/advoware/…, admin all of it and the console's actions. Roles read the file at their start.

Exit codes: 0 made, 2 the command line is not understood";
