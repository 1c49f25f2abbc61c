//! On which PostgreSQL the calls of a project replay, and within which limits.

use super::{Asked, Project};
use crate::config::ScratchConfig;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::proof::{Choice, Limits, ReplayError, ReplayFile, Settings, Wish, on_chosen};
use crate::scratch::limits::{RESULT, STATEMENT, TOTAL, Time};
use crate::scratch::programs::Programs;
use crate::scratch::server::Address;
use crate::trust::{self, Leaves, Trust};
use std::path::PathBuf;

impl Project {
    /// Runs `work` with settings that say on which PostgreSQL; `failure` finds out whether the replay itself failed.
    pub(super) fn on_scratch<T, E>(
        &self,
        sets: &[&[ReplayFile]],
        progress: &dyn Progress,
        work: impl Fn(&Settings) -> Result<T, E>,
        failure: impl Fn(&E) -> Option<&ReplayError>,
    ) -> Result<Result<T, E>, Vec<Error>> {
        let wish = self.wish()?;
        let settings = Settings { limits: limits(&self.asked, &self.config.scratch), ..self.settings.clone() };
        let ran = on_chosen(&wish, sets, &settings, work, failure)?;
        ran.notes.iter().for_each(|note| progress.note(note));
        Ok(ran.outcome)
    }

    /// Which PostgreSQL is asked for.
    fn wish(&self) -> Result<Wish> {
        let (said, set) = (&self.asked.scratch, &self.config.scratch);
        let is_embedded = match said {
            Some(said) => said == "embedded",
            None => set.database == Some(Choice::Embedded),
        };
        let programs = if is_embedded { None } else { self.programs()? };
        let may_reach = self.trusted.has(Trust::Reach);
        let on = |choice: Choice| Ok(Wish { choice, programs: programs.clone(), server: None, may_reach });
        let at = |url: &str| {
            let server = Some(Address::read(url)?);
            Ok(Wish { choice: Choice::Server, programs: programs.clone(), server, may_reach })
        };
        match (said, &set.url, set.database) {
            (Some(said), ..) => match Choice::by_name(said) {
                Some(choice) => on(choice),
                None if said.contains(':') => at(said),
                None => Err(Error::new(format!("\"{said}\" isn't a PostgreSQL to replay on")).hint(
                    "--scratch takes auto, embedded, local, the address of a server (postgres://…), or env:NAME",
                )),
            },
            (None, Some(_), Some(_)) => {
                Err(Error::new("[scratch] has both database and url").hint("one of them says where to replay"))
            }
            (None, Some(url), None) => {
                self.allow_url(url)?;
                at(url)
            }
            (None, None, choice) => on(choice.unwrap_or_default()),
        }
    }

    /// Refuses an address of the configuration that leaves this machine, unless that is trusted.
    fn allow_url(&self, url: &str) -> Result<()> {
        let Some(leaves) = trust::leaves(url) else { return Ok(()) };
        let what = match leaves {
            Leaves::Variables => "the setting url takes values of environment variables",
            Leaves::Machine => "the setting url is of another machine",
        };
        let at = self.config.at(&["scratch", "url"]);
        self.trusted.allow(Trust::Url, at, what, "give the address with --scratch")
    }

    /// The folder of the PostgreSQL programs, if the configuration says it.
    ///
    /// # Errors
    /// When it isn't trusted to do so: what lies there is run.
    pub(super) fn programs(&self) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.config.scratch.programs else { return Ok(None) };
        // The variable wins over the setting, which then runs nothing.
        if Programs::are_named(None) {
            return Ok(None);
        }
        let at = self.config.at(&["scratch", "programs"]);
        let what = "the setting programs names a folder of programs to run";
        self.trusted.allow(Trust::Programs, at, what, "name the folder with CONSOLIDATE_PG_BIN")?;
        Ok(Some(self.base.join(folder)))
    }
}

/// The limits that are asked for or set, or else the usual ones, from now on.
fn limits(asked: &Asked, set: &ScratchConfig) -> Limits {
    let limit = |said: Option<Time>, set: Option<Time>, usual| said.or(set).map_or(Some(usual), |time| time.0);
    let statement = limit(asked.statement_timeout, set.statement_timeout, STATEMENT);
    let result = asked.result_size.or(set.result_size).map_or(Some(RESULT), |size| size.0);
    Limits { result, ..Limits::from_now(statement, limit(asked.timeout, set.timeout, TOTAL)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::time::Duration;

    #[test]
    fn there_are_limits_unless_somebody_lifts_them() {
        let none = Asked::default();
        let read = |limits: Limits| (limits.statement, limits.total.map(|(total, _)| total), limits.result);
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        let usual = limits(&none, &ScratchConfig::default());
        assert_eq!(read(usual), (minutes(1), minutes(10), Some(256 << 20)));
        let text = "[scratch]\nstatement_timeout = \"none\"\ntimeout = \"2min\"\nresult_size = \"none\"\n";
        let set = Config::parse(text, "consolidate.toml").unwrap().scratch;
        assert_eq!(read(limits(&none, &set)), (None, minutes(2), None));
        let said = Asked { timeout: "none".parse().ok(), statement_timeout: "3min".parse().ok(), ..none };
        assert_eq!(read(limits(&said, &set)), (minutes(3), None, None));
    }
}
