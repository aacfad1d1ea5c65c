//! Colours, or none. Meaning never rests on colour alone.

use anstyle::{AnsiColor, Style};

use crate::cli::args::ColorWhen;
use crate::context::Environment;

/// Paints text when colours are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painter {
    on: bool,
}

impl Painter {
    /// One that leaves text plain.
    pub(crate) const PLAIN: Self = Self { on: false };

    /// Decides from the option, the terminal, NO_COLOR and TERM, in this order.
    pub(crate) fn choose(when: ColorWhen, is_terminal: bool, environment: &Environment) -> Self {
        let on = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                is_terminal && environment.get("NO_COLOR").is_none() && !is_dumb(environment)
            }
        };
        Self { on }
    }

    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(
            Style::new().bold().fg_color(Some(AnsiColor::Cyan.into())),
            text,
        )
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint(
            Style::new().bold().fg_color(Some(AnsiColor::Green.into())),
            text,
        )
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint(
            Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
            text,
        )
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint(
            Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
            text,
        )
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// Whether the terminal can do nothing but print.
pub(crate) fn is_dumb(environment: &Environment) -> bool {
    environment.get("TERM") == Some("dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment {
            variables: pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            ..Environment::default()
        }
    }

    #[test]
    fn precedence_of_colour_settings() {
        let none = environment(&[]);
        let no_color = environment(&[("NO_COLOR", "1")]);
        let dumb = environment(&[("TERM", "dumb")]);
        assert!(Painter::choose(ColorWhen::Auto, true, &none).on);
        assert!(!Painter::choose(ColorWhen::Auto, false, &none).on);
        assert!(!Painter::choose(ColorWhen::Auto, true, &no_color).on);
        assert!(!Painter::choose(ColorWhen::Auto, true, &dumb).on);
        assert!(Painter::choose(ColorWhen::Always, false, &no_color).on);
        assert!(!Painter::choose(ColorWhen::Never, true, &none).on);
    }
}
