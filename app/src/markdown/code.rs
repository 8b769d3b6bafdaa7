//! What a code block's language is called.

/// Longest name of an unknown language, in characters: the caption is one line.
const LONGEST: usize = 24;

/// Names, each with what else its language is called in a fence. One text, since in WASM a table of strings, or a
/// `match` on them, takes several times as much.
const NAMES: &str = "\
Code:text txt plain plaintext
Shell:bash sh zsh console shellsession
C:
C++:cpp cxx cc
C#:cs csharp
CSS:
CSV:
Dart:
Diff:patch
Dockerfile:docker
Elixir:ex exs
Erlang:erl
Go:golang
GraphQL:gql
Haskell:hs
Terraform:hcl tf
HTML:htm
HTTP:
INI:
Java:
JavaScript:js mjs cjs node
JSON:json5 jsonc
JSX:
Julia:jl
Kotlin:kt kts
LaTeX:tex
Lua:
Makefile:make mk
Markdown:md
Mermaid:
nginx:
Nix:
Objective-C:objc
OCaml:ml
Perl:pl
PHP:
PowerShell:ps1 pwsh
Protobuf:proto
Python:py python3
R:
Regex:
Ruby:rb
Rust:rs
Scala:
SCSS:
SQL:mysql postgres postgresql psql sqlite
Svelte:
SVG:
Swift:
TOML:
TSX:
TypeScript:ts mts cts
Vue:
WebAssembly:wasm wat
XML:
YAML:yml
Zig:
";

/// The caption for a fence's info string: the language's own spelling, an unknown name as it was written, or `Code`.
pub(super) fn name(info: &str) -> &str {
    let word = info.trim_start_matches(['{', '.', ' ']);
    let word = word.split([' ', '\t', ',', '{', '}', ':', ';']).next().unwrap_or_default();
    if word.is_empty() {
        return "Code";
    }
    for line in NAMES.split('\n') {
        let mut names = line.split([':', ' ']);
        if names.clone().any(|name| name.eq_ignore_ascii_case(word)) {
            return names.next().unwrap_or_default();
        }
    }
    word.char_indices().nth(LONGEST).map_or(word, |(end, _)| &word[..end])
}
