//! Whatever has been tried against renderers of Markdown comes out as text.

use super::super::{Live, Options, Stream, render};
use super::check::check;

const VECTORS: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://x.example/a.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=\"x\" onerror=\"alert(1)\"//",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<object data=\"data:text/html,<script>alert(1)</script>\"></object>",
    "<embed src=\"javascript:alert(1)\">",
    "<a href=\"javascript:alert(1)\">a</a>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<style>@import 'https://x.example/a.css';</style>",
    "<link rel=stylesheet href=https://x.example/a.css>",
    "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">",
    "<base href=\"https://x.example/\">",
    "<form action=\"javascript:alert(1)\"><button>a</button></form>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\">",
    "<!--<img src=\"--><img src=x onerror=alert(1)>\">",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version=\"1.0\"?><script>alert(1)</script>",
    "<!DOCTYPE html><script>alert(1)</script>",
    "</p></div></main><script>alert(1)</script>",
    "</code></pre><script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](<javascript:alert(1)>)",
    "[a](java\tscript:alert(1))",
    "[a](java&#10;script:alert(1))",
    "[a](java&Tab;script&colon;alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](&#1;javascript:alert(1))",
    "[a](\u{a0}javascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](javascript://https://x.example/%0aalert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](vbscript:msgbox(1))",
    "[a](file:///etc/passwd)",
    "[a](blob:https://x.example/1)",
    "[a](https://x.example/\"onmouseover=\"alert(1))",
    "[a](https://x.example/ \"t\\\" onmouseover=\\\"alert(1)\")",
    "[a](https://x.example/'onmouseover='alert(1))",
    "[a](<https://x.example/\"><script>alert(1)</script>>)",
    "[a](https://x.example/&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;)",
    "[a](https&colon;//x.example&#10;javascript:alert(1))",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a][b]\n\n[b]: https://x.example/ \"\\\"><script>alert(1)</script>\"",
    "<javascript:alert(1)>",
    "<JAVASCRIPT:alert&#40;1&#41;>",
    "<data:text/html,a>",
    "<https://x.example/\"onmouseover=\"alert(1)>",
    "<a@x.example\"onmouseover=\"alert(1)>",
    "![a](javascript:alert(1))",
    "![a\"onerror=\"alert(1)](https://x.example/a.png)",
    "![a](https://x.example/\"onerror=\"alert(1))",
    "![a](https://\"><script>alert(1)</script>/a.png)",
    "![<script>alert(1)</script>](https://x.example/a.png)",
    "![a](data:image/svg+xml,<svg/onload=alert(1)>)",
    "![![a](https://x.example/b)](javascript:alert(1))",
    "[![a](javascript:alert(1))](javascript:alert(1))",
    "[a <https://x.example> b](https://y.example)",
    "[a[^1] [b](https://x.example)](https://y.example)\n\n[^1]: <script>alert(1)</script>",
    "```\"><script>alert(1)</script>\na\n```",
    "```js onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "# <script>alert(1)</script>",
    "| <script> | \" onload=alert(1) |\n|---|---|\n| </td></tr></table><script>alert(1)</script> | <b |",
    "a[^\"><script>]\n\n[^\"><script>]: b",
    "a[^\" onclick=\"x]\n\n[^\" onclick=\"x]: b",
    "- [x] <script>alert(1)</script>\n- [ ] </li></ul><script>",
    "> <script>\n> alert(1)\n> </script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)\\</script>",
    "<scr\u{0}ipt>alert(1)</script>",
    "\u{1}<\u{1}script>",
    "<script\n>alert(1)\n\n</script\n>",
    "*<script>*alert(1)**</script>**",
];

#[test]
fn nothing_hostile_gets_through() {
    for vector in VECTORS {
        let framed = [vector.to_string(), format!("a {vector} b"), format!("- {vector}\n\n> {vector}\n\n{vector}")];
        for markdown in framed {
            check(&render(&markdown, &[1, 7])).unwrap_or_else(|fault| panic!("{markdown:?}: {fault}"));
        }
    }
}

#[test]
fn nor_while_it_is_being_written() {
    for vector in VECTORS {
        let mut live = Live::new(Options { prefix: "m".to_owned(), caret: true });
        let mut stream = Stream::new();
        for c in format!("a {vector}\n\n{vector} b\n").chars() {
            live.push(c.encode_utf8(&mut [0; 4]));
            let update = live.update();
            let stream = stream.push(c.encode_utf8(&mut [0; 4])).unwrap_or_default();
            for html in update.closed.iter().chain([&update.tail, &stream]) {
                check(html).unwrap_or_else(|fault| panic!("{:?}: {fault}", live.text()));
            }
        }
        check(&live.finish()).unwrap();
        check(&stream.finish()).unwrap();
    }
}
