//! The page behind an invite link.

/// What a browser shows of a session. The secret stands behind `#` and never reaches the server;
/// a script puts the whole link on the page for copying.
pub fn session_page(name: &str) -> String {
    let name = escaped(name);
    format!(
        r##"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} · Antiphon</title>
<style>
 body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem;
        color: #1d2129; background: #fbfaf7 }}
 code {{ display: block; padding: .75rem 1rem; border-radius: .5rem; background: #ece9e1; overflow-wrap: anywhere }}
 @media (prefers-color-scheme: dark) {{ body {{ color: #e6e3dc; background: #16181d }} code {{ background: #262a32 }} }}
</style>
<h1>{name}</h1>
<p>You are invited to play in this session. It is joined from your DAW:</p>
<ol>
 <li>Load the Antiphon plugin (CLAP or VST3) on an instrument track, or start the standalone.</li>
 <li>Choose <b>Join</b> in its editor and paste this link:
  <code id="link">the address of this page</code></li>
</ol>
<p>Without a DAW: <code>antiphon peer '<span id="peer">LINK</span>'</code></p>
<p>Playing in the browser itself is not built yet.</p>
<script>
 for (const id of ["link", "peer"]) document.getElementById(id).textContent = location.href;
</script>
</html>
"##
    )
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_session_name_cannot_become_markup() {
        assert!(!super::session_page("<script>x</script>").contains("<script>x"));
    }
}
