//! Any text as a configuration: it is loaded, or every fault has its place in the text and can be
//! shown.

use lintel_config::{Loader, Style};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let loader = Loader::new().environment([("PORT", "8080"), ("TOKEN", "s3cret-t0ken")]);
    let loader = loader.without_files();
    match loader.load_texts([("gateway.yaml".into(), text)]) {
        Ok(loaded) => {
            let shown = loaded.redacted().to_string();
            assert!(
                !shown.contains("s3cret-t0ken") || text.contains("s3cret-t0ken"),
                "{shown}"
            );
        }
        Err(report) => {
            assert!(!report.diagnostics().is_empty(), "refused without a reason");
            let shown = report.render(&Style::plain());
            assert!(
                !shown.contains("s3cret-t0ken") || text.contains("s3cret-t0ken"),
                "{shown}"
            );
        }
    }
}
