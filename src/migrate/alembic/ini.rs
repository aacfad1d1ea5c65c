//! `alembic.ini` as Python's ConfigParser reads it, for the few options that matter here.

use std::collections::BTreeMap;

/// Interpolation may nest this deep (ConfigParser's own limit).
const DEPTH_LIMIT: usize = 10;

/// The options of all sections; names in lower case, values not yet interpolated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ini {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    here: String,
}

impl Ini {
    /// Reads the text; `here` is the absolute folder of the file.
    pub(super) fn parse(text: &str, here: &str) -> Self {
        let mut ini = Self {
            here: here.to_owned(),
            ..Self::default()
        };
        let mut section = String::new();
        let mut option: Option<(String, usize)> = None;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let trimmed = line.trim();
            if trimmed.starts_with(['#', ';']) {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if let Some((name, at)) = &option
                && (trimmed.is_empty() || indent > *at)
            {
                ini.append(&section, name, trimmed);
                continue;
            }
            option = None;
            if let Some(name) = trimmed
                .strip_prefix('[')
                .and_then(|rest| rest.split(']').next())
            {
                name.clone_into(&mut section);
                ini.sections.entry(section.clone()).or_default();
            } else if let Some(at) = trimmed.find(['=', ':']) {
                let name = trimmed[..at].trim().to_lowercase();
                let value = trimmed[at + 1..].trim().to_owned();
                let options = ini.sections.entry(section.clone()).or_default();
                options.insert(name.clone(), value);
                option = Some((name, indent));
            }
        }
        ini
    }

    fn append(&mut self, section: &str, name: &str, line: &str) {
        let options = self.sections.entry(section.to_owned()).or_default();
        if let Some(value) = options.get_mut(name) {
            value.push('\n');
            value.push_str(line);
        }
    }

    /// Whether the section exists.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.sections.contains_key(section)
    }

    /// An option's value, interpolated. Errors: why it cannot be known.
    pub(super) fn get(&self, section: &str, name: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.raw(section, name) else {
            return Ok(None);
        };
        let value = self.interpolate(section, raw.trim_end(), 0)?;
        Ok(Some(value))
    }

    fn raw(&self, section: &str, name: &str) -> Option<&str> {
        let own = self.sections.get(section)?;
        own.get(name)
            .or_else(|| self.sections.get("DEFAULT")?.get(name))
            .map(String::as_str)
            .or_else(|| (name == "here").then_some(self.here.as_str()))
    }

    fn interpolate(&self, section: &str, raw: &str, depth: usize) -> Result<String, String> {
        if depth > DEPTH_LIMIT {
            return Err("its references nest too deep".to_owned());
        }
        percent(raw, &mut |name| match name {
            "here" => Ok(self.here.clone()),
            name => match self.raw(section, &name.to_lowercase()) {
                Some(inner) => self.interpolate(section, inner, depth + 1),
                None => Err(format!("%({name})s is not defined")),
            },
        })
    }
}

/// Replaces `%(name)s` and `%%`.
pub(super) fn percent(
    raw: &str,
    value_of: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let mut value = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            value.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(")s"))
        {
            value.push_str(&value_of(name)?);
            rest = after;
        } else {
            return Err("a lone % stands in it".to_owned());
        }
    }
    value.push_str(rest);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_configparser() {
        let text = "[DEFAULT]\nroot = %(here)s/db\n[alembic]\n# c\nscript_location = %(root)s/mig\n\
                    Version_Locations: a\n    b\n\n    ; note\n  c\nurl = 50%%\nbad = %x\n[loggers]\nkeys = root\n";
        let ini = Ini::parse(text, "/srv");
        assert_eq!(
            ini.get("alembic", "script_location").unwrap().unwrap(),
            "/srv/db/mig"
        );
        assert_eq!(
            ini.get("alembic", "version_locations").unwrap().unwrap(),
            "a\nb\n\nc"
        );
        assert_eq!(ini.get("alembic", "url").unwrap().unwrap(), "50%");
        assert_eq!(ini.get("alembic", "nothing").unwrap(), None);
        assert!(ini.get("alembic", "bad").is_err());
        assert!(ini.has_section("loggers") && !ini.has_section("other"));
    }
}
