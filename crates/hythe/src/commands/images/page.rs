//! What an image is, as a page: sections that fit a terminal of 80 columns, and say more where there is room.
//!
//! Invariant: no text of an image reaches the terminal but through [`visible`].

use hythe_client::info::{
    Configuration, FoundBy, HistoryStep, ImageInfo, LayerCompression, PlatformImage, Referrer,
};
use hythe_oci::Digest;
use indicatif::DecimalBytes;

use crate::harmless::one_line;
use crate::printer::{arrange, counted};

/// From this width on digests are shown whole in tables.
const ROOMY: usize = 110;

/// What stands before the text of a step: size and date.
const BEFORE_STEP: usize = 24;

/// What is not said.
const NOTHING: &str = "–";

/// Text of an image, harmless and in one line.
fn visible(text: &str) -> String {
    one_line(text).into_owned()
}

/// The page of an image, for a terminal of `width` columns or, with `None`, for a file.
pub(super) fn page(name: &str, info: &ImageInfo, width: Option<usize>) -> String {
    let digest = |digest: &Digest| fitting(digest, width);
    let mut sections = vec![visible(name), facts(info)];
    if info.platforms.len() > 1 {
        let rows = info.platforms.iter().map(|platform| {
            let looked_at = info.image.as_ref().is_some_and(|image| image.digest == platform.digest);
            vec![
                platform.platform.as_deref().map_or_else(|| NOTHING.to_owned(), visible),
                platform.size.map_or_else(|| NOTHING.to_owned(), size),
                digest(&platform.digest),
                if looked_at { "shown below".to_owned() } else { String::new() },
            ]
        });
        sections.push(section("Platforms", &["platform", "size", "digest", ""], rows));
    }
    if let Some(image) = &info.image {
        if let Some(config) = &image.config {
            sections.push(configuration(image, config));
        }
        if !image.history.is_empty() {
            let rows = image.history.iter().map(|step| step_row(step, width));
            sections.push(section("History, the lowest layer first", &["size", "created", "made by"], rows));
        }
        if !image.layers.is_empty() {
            let rows = image.layers.iter().enumerate().map(|(at, layer)| {
                vec![
                    (at + 1).to_string(),
                    size(layer.size),
                    compression(layer.compression, &layer.media_type),
                    digest(&layer.digest),
                ]
            });
            sections.push(section("Layers", &["#", "size", "compression", "digest"], rows));
        }
    }
    if !info.referrers.is_empty() {
        let rows = info.referrers.iter().map(|referrer| {
            vec![
                kind(referrer, width),
                size(referrer.size),
                digest(&referrer.digest),
                subject(info, referrer),
            ]
        });
        sections.push(section("Refers to it", &["type", "size", "digest", "about"], rows));
    }
    sections.join("\n\n").replacen("\n\n", "\n", 1)
}

/// A digest in a table: on a narrow terminal as far as people compare it.
pub(super) fn fitting(digest: &Digest, width: Option<usize>) -> String {
    match width {
        Some(width) if width < ROOMY => digest.to_string().chars().take("sha256:".len() + 12).collect(),
        _ => digest.to_string(),
    }
}

fn section(title: &str, headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    format!("{title}\n{}", arrange(headers, rows))
}

fn facts(info: &ImageInfo) -> String {
    let mut facts = vec![fact("Digest", info.digest.to_string()), fact("Type", visible(&info.media_type))];
    if let Some(kind) = &info.artifact_type {
        facts.push(fact("Kind", visible(kind)));
    }
    facts.extend(list("Notes", info.annotations.iter().map(|(key, value)| format!("{key}={value}"))));
    if let (Some(image), [_]) = (&info.image, &info.platforms[..]) {
        facts.push(fact("Runs on", image.platform.as_deref().map_or_else(|| NOTHING.to_owned(), visible)));
        facts.push(fact("Size", format!("{} in {}", size(image.size), counted(image.layers.len(), "layer"))));
    }
    arrange(&[], facts)
}

fn configuration(image: &PlatformImage, config: &Configuration) -> String {
    let mut facts = Vec::new();
    let mut one = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            facts.push(fact(name, visible(value)));
        }
    };
    one("Created", &config.created);
    one("Author", &config.author);
    one("User", &config.user);
    one("Workdir", &config.workdir);
    one("Signal", &config.stop_signal);
    if !config.entrypoint.is_empty() {
        facts.push(fact("Entry", words(&config.entrypoint)));
    }
    if !config.cmd.is_empty() {
        facts.push(fact("Cmd", words(&config.cmd)));
    }
    facts.extend(list("Env", config.env.iter().cloned()));
    facts.extend(list("Labels", config.labels.iter().map(|(key, value)| format!("{key}={value}"))));
    facts.extend(list("Ports", config.ports.iter().cloned()));
    facts.extend(list("Volumes", config.volumes.iter().cloned()));
    if let Some(id) = &image.config_digest {
        facts.push(fact("ID", id.to_string()));
    }
    let title = match &image.platform {
        Some(platform) => format!("Configuration for {}", visible(platform)),
        None => "Configuration".to_owned(),
    };
    format!("{title}\n{}", arrange(&[], facts))
}

fn fact(name: &str, value: String) -> Vec<String> {
    vec![name.to_owned(), value]
}

/// Several values of one name, which is said once.
fn list(name: &str, values: impl Iterator<Item = String>) -> Vec<Vec<String>> {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names.zip(values).map(|(name, value)| fact(name, visible(&value))).collect()
}

/// A command as its words; those that hold a space are quoted.
fn words(words: &[String]) -> String {
    let word = |word: &String| {
        let shown = visible(word);
        if shown.is_empty() || shown.contains(|letter: char| letter.is_whitespace() || letter == '"') {
            format!("\"{}\"", shown.replace('"', "\\\""))
        } else {
            shown
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn step_row(step: &HistoryStep, width: Option<usize>) -> Vec<String> {
    let bytes = match (step.empty, step.size) {
        (true, _) => "empty".to_owned(),
        (false, Some(bytes)) => size(bytes),
        (false, None) => NOTHING.to_owned(),
    };
    let day = step.created.as_deref().map_or_else(|| NOTHING.to_owned(), visible).chars().take(10).collect();
    let made_by = step.created_by.as_deref().or(step.comment.as_deref()).map_or_else(String::new, visible);
    let made_by = made_by.split_whitespace().collect::<Vec<_>>().join(" ");
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(BEFORE_STEP).max(20));
    vec![bytes, day, clipped(&made_by, room)]
}

/// A line of so many letters at most.
fn clipped(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

fn compression(compression: LayerCompression, media_type: &str) -> String {
    match compression {
        LayerCompression::Gzip => "gzip".to_owned(),
        LayerCompression::Zstd => "zstd".to_owned(),
        LayerCompression::None => "none".to_owned(),
        _ => visible(media_type),
    }
}

/// What a referrer is; on a narrow terminal without the word that begins nearly all of them.
fn kind(referrer: &Referrer, width: Option<usize>) -> String {
    let kind = referrer.artifact_type.as_deref().map_or_else(|| NOTHING.to_owned(), visible);
    let kind = match kind.strip_prefix("application/") {
        Some(short) if width.is_some_and(|width| width < ROOMY) => short.to_owned(),
        _ => kind,
    };
    match referrer.found_by {
        FoundBy::Index => format!("{kind} (in the index)"),
        _ => kind,
    }
}

fn subject(info: &ImageInfo, referrer: &Referrer) -> String {
    if referrer.subject == info.digest {
        return "the image".to_owned();
    }
    let platform = info.platforms.iter().find(|platform| platform.digest == referrer.subject);
    platform.and_then(|platform| platform.platform.as_deref()).map_or_else(|| NOTHING.to_owned(), visible)
}

fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_its_words() {
        let shown = words(&["sh".to_owned(), "-c".to_owned(), "echo \"a\u{1b}\"".to_owned(), String::new()]);
        assert_eq!(shown, r#"sh -c "echo \"a\u{1b}\"" """#);
    }

    #[test]
    fn a_long_step_is_clipped_to_the_terminal() {
        let mut step = HistoryStep::default();
        step.created = Some("2026-01-02T03:04:05Z".to_owned());
        step.created_by = Some(format!("RUN\t\n{}", "x".repeat(200)));
        step.empty = true;
        let row = step_row(&step, Some(80));
        assert_eq!(
            (&row[..2], row[2].chars().count()),
            (&["empty".to_owned(), "2026-01-02".to_owned()][..], 56)
        );
        assert_eq!(step_row(&step, None)[2].chars().count(), 204);
    }
}
