//! libpq's connection service file: sections of `keyword=value` lines.

use crate::error::{Error, Result};

/// One setting of a service, with its 1-based line. No `Debug`: it may be the password.
pub(super) struct ServiceSetting {
    pub keyword: String,
    pub value: String,
    pub line: usize,
}

/// The settings of the service `name`, or `None` if the file does not define it.
/// `shown` names the file in errors.
pub(super) fn find(text: &str, name: &str, shown: &str) -> Result<Option<Vec<ServiceSetting>>> {
    let mut settings = None;
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if settings.is_some() {
                break;
            }
            let title = section.split(']').next().unwrap_or_default();
            settings = (title == name).then(Vec::new);
            continue;
        }
        let Some(settings) = settings.as_mut() else {
            continue;
        };
        settings.push(setting(line, index + 1, shown)?);
    }
    Ok(settings)
}

fn setting(line: &str, number: usize, shown: &str) -> Result<ServiceSetting> {
    let trouble = |why: &str| Error::usage(format!("read {shown}, line {number}")).because(why);
    if line.starts_with("ldap") {
        return Err(trouble("looking services up in LDAP is not supported"));
    }
    let (keyword, value) = line
        .split_once('=')
        .ok_or_else(|| trouble("it is not of the form keyword=value"))?;
    if keyword == "service" {
        return Err(trouble("a service cannot name another service"));
    }
    Ok(ServiceSetting {
        keyword: keyword.to_owned(),
        value: value.to_owned(),
        line: number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# services\n[shop]\nhost=db\nport=5433\n\npassword=a b=c\n[other]\nhost=x\n";

    #[test]
    fn reads_one_section_with_lines() {
        let settings = find(FILE, "shop", "f").unwrap().unwrap();
        let all: Vec<_> = settings
            .iter()
            .map(|s| (s.keyword.as_str(), s.value.as_str(), s.line))
            .collect();
        assert_eq!(
            all,
            [
                ("host", "db", 3),
                ("port", "5433", 4),
                ("password", "a b=c", 6)
            ]
        );
        assert!(find(FILE, "none", "f").unwrap().is_none());
    }

    #[test]
    fn trouble_names_file_and_line() {
        let message = |text| find(text, "a", "svc.conf").err().unwrap().to_string();
        assert_eq!(
            message("[a]\nnonsense"),
            "read svc.conf, line 2: it is not of the form keyword=value"
        );
        assert_eq!(
            message("[a]\nservice=b"),
            "read svc.conf, line 2: a service cannot name another service"
        );
        assert_eq!(
            message("[a]\nldap://x"),
            "read svc.conf, line 2: looking services up in LDAP is not supported"
        );
    }
}
