//! Makes CSS smaller without understanding it: comments go, runs of white space become one space, and no space
//! stays beside a brace, a semicolon or after a comma. Strings are left as they are. Compression does the rest.

/// The same style sheet with fewer bytes.
pub(crate) fn minify(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut chars = css.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {
                out.push(c);
                while let Some(inner) = chars.next() {
                    out.push(inner);
                    if inner == '\\' {
                        out.extend(chars.next());
                    } else if inner == c {
                        break;
                    }
                }
            }
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                for inner in chars.by_ref() {
                    if last == '*' && inner == '/' {
                        break;
                    }
                    last = inner;
                }
                // A comment separates words as a space does.
                space(&mut out);
            }
            c if c.is_ascii_whitespace() => space(&mut out),
            '{' | '}' | ';' | ',' => {
                if out.ends_with(' ') {
                    out.pop();
                }
                if c == '}' && out.ends_with(';') {
                    out.pop();
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

fn space(out: &mut String) {
    if !out.is_empty() && !out.ends_with([' ', '{', '}', ';', ',']) {
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::minify;

    #[test]
    fn takes_away_what_means_nothing() {
        assert_eq!(minify("/* a */\n.a,\n.b { color : red; }\n\n"), ".a,.b{color : red}");
        assert_eq!(
            minify("@media (width >= 60rem) and (hover) {\n a{b:c;d:e}\n}"),
            "@media (width >= 60rem) and (hover){a{b:c;d:e}}"
        );
    }

    #[test]
    fn leaves_what_means_something() {
        assert_eq!(minify("a :hover{}"), "a :hover{}");
        assert_eq!(minify("a{width:calc(1px + 2px)}"), "a{width:calc(1px + 2px)}");
        assert_eq!(minify("a/**/b{}"), "a b{}");
        assert_eq!(minify("a{content:\"  /* x */ ; }\"}"), "a{content:\"  /* x */ ; }\"}");
        assert_eq!(minify(r#"a{content:'\'  '}"#), r#"a{content:'\'  '}"#);
    }

    #[test]
    fn bears_what_never_ends() {
        assert_eq!(minify("a{} /* open"), "a{}");
        assert_eq!(minify("a{content:\"open"), "a{content:\"open");
        assert_eq!(minify("a{content:'\\"), "a{content:'\\");
        assert_eq!(minify(""), "");
    }
}
