//! Reads the verdicts out of a suite's `junit.xml`.
//!
//! Only what the two suites write is understood: `<testcase …>` elements, with or without a `<failure>`,
//! `<error>` or `<skipped>` inside. A report without test cases yields none, which the caller refuses.

/// How a test case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// One test case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// The element that tells about the verdict, as written.
    pub(super) message: String,
}

/// The test cases of a report, in order.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) cases: Vec<Case>,
}

impl Report {
    pub(super) fn parse(xml: &str) -> Self {
        let cases = xml.split("<testcase").skip(1).map(case).collect();
        Self { cases }
    }
}

fn case(text: &str) -> Case {
    let name = attribute(text, "name");
    // An element without content ends in the tag itself.
    let tag_end = text.find('>').unwrap_or(text.len());
    let inside = if text[..tag_end].ends_with('/') {
        ""
    } else {
        text[tag_end..].split("</testcase>").next().unwrap_or_default()
    };
    // Output is quoted in the report and might hold anything.
    let inside = inside.split("<system-out>").next().unwrap_or_default();
    let verdict = if inside.contains("<failure") || inside.contains("<error") {
        Verdict::Failed
    } else if inside.contains("<skipped") {
        Verdict::Skipped
    } else {
        Verdict::Passed
    };
    Case { name, verdict, message: plain(inside.trim_start_matches('>').trim()) }
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split('"').next());
    plain(value.unwrap_or_default())
}

fn plain(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&#xA;", "\n"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[test]
fn reads_verdicts() {
    let xml = r#"<testsuite tests="4"><testcase name="a &gt; b" classname="x"></testcase><testcase name="c"/>
        <testcase name="d" status="failed"><failure message="no">at line 1</failure></testcase>
        <testcase name="e"><skipped message="skipped - why"/><system-out>&lt;failure</system-out></testcase>"#;
    let report = Report::parse(xml);
    let told: Vec<_> = report.cases.iter().map(|case| (case.name.as_str(), case.verdict)).collect();
    assert_eq!(
        told,
        [("a > b", Verdict::Passed), ("c", Verdict::Passed), ("d", Verdict::Failed), ("e", Verdict::Skipped)]
    );
    assert!(report.cases[2].message.contains("at line 1"));
}
