//! How much memory a client takes for images of four GiB: one layer, from and to a layout, and an archive that comes once.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{Client, Kind};
use crate::command::{Ran, run, run_with};
use crate::image::{Layout, Text, layer};
use crate::registry::digest;
use crate::servers::Place;
use crate::table::{Line, show, show_limit};

/// Noise does not shrink, and the text is a fifth: four GiB and more are packed and sent.
const HALF: usize = 2 << 30;

const MOST: f64 = 64.0;

pub(crate) fn all(place: &Place) {
    let work = place.fresh("layers");
    let text = Text::gather(100 << 20);
    let tar = layer(&work, 4, HALF, &text);
    let clients = Client::all(place);
    let own = &clients[0];
    let server = place.hythe(false);
    let address = server.target.address;
    let mut command = own.command(address);
    let archive =
        run_with(command.args(["push", "-", "lab/archive:v1"]), &own.log(), Stdio::piped(), |child| {
            let mut input = child.stdin.take().expect("it was asked for");
            stream_archive(&mut input, &tar).expect("the client takes it all");
        });
    limited("push of an archive of 4 GiB on standard input", own, &archive);
    let folder = server.folder.clone();
    drop(server);
    fs::remove_dir_all(folder).expect("the folder of the bench is writable");
    let mut layout = Layout::new(work.join("image"));
    layout.add(&tar);
    layout.finish();
    for client in clients.iter().filter(|client| matches!(client.kind, Kind::Hythe | Kind::Skopeo)) {
        let server = place.hythe(false);
        let address = server.target.address;
        let ran = run(&mut client.push(&layout.folder, address, "lab/app:v1"), &client.log());
        limited("push of one layer from a layout", client, &ran);
        let folder = place.fresh("pulled").join("image");
        let ran = run(&mut client.pull(&folder, address, "lab/app:v1"), &client.log());
        limited("pull of one layer to a layout", client, &ran);
        fs::remove_dir_all(folder).expect("the folder of the bench is writable");
        if client.kind == Kind::Hythe {
            let file = place.fresh("pulled").join("image.tar");
            let mut command = client.command(address);
            let ran = run(
                command.args(["pull", "lab/app:v1", &format!("archive:{}", file.display())]),
                &client.log(),
            );
            limited("pull of one layer to an archive", client, &ran);
            fs::remove_file(file).expect("the folder of the bench is writable");
        }
        let folder = server.folder.clone();
        drop(server);
        fs::remove_dir_all(folder).expect("the folder of the bench is writable");
    }
}

fn limited(work: &str, client: &Client, ran: &Ran) {
    let line = Line {
        work: format!("{work}: the client's memory"),
        server: client.kind.name().to_owned(),
        figures: vec![ran.peak],
        unit: "MiB",
        conditions: format!("{:.1} s, {:.1} s of CPU", ran.wall, ran.cpu),
    };
    if client.kind == Kind::Hythe {
        show_limit(&line, MOST);
    } else {
        show(&[line], &[]);
    }
}

/// Writes what `docker save` would: the layer, then the configuration and the list.
fn stream_archive(out: &mut impl std::io::Write, layer: &Path) -> std::io::Result<()> {
    let diff_id = {
        let ended = std::process::Command::new("sha256sum").arg(layer).output()?;
        String::from_utf8_lossy(&ended.stdout)[..64].to_owned()
    };
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
    })
    .to_string();
    let name = digest(config.as_bytes()).replace("sha256:", "");
    let list = serde_json::json!([{
        "Config": format!("{name}.json"), "RepoTags": ["app:v1"], "Layers": [format!("{diff_id}/layer.tar")],
    }])
    .to_string();
    // The archive is made by `tar`, of files with these names; the layer is not copied.
    let folder = layer.with_extension("archive");
    fs::create_dir_all(folder.join(&diff_id))?;
    fs::hard_link(layer, folder.join(&diff_id).join("layer.tar"))?;
    fs::write(folder.join(format!("{name}.json")), config)?;
    fs::write(folder.join("manifest.json"), list)?;
    let mut tar = std::process::Command::new("tar")
        .arg("-C")
        .arg(&folder)
        .args(["-cf", "-", &format!("{diff_id}/layer.tar"), &format!("{name}.json"), "manifest.json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stream = tar.stdout.take().ok_or_else(|| std::io::Error::other("it was asked for"))?;
    std::io::copy(&mut stream, out)?;
    out.flush()?;
    tar.wait()?;
    fs::remove_dir_all(folder)
}
