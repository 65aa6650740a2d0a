//! The realtime floors use no float function whose bits depend on the machine.
//!
//! Only + − × ÷ √, compares and casts are equal everywhere; the rest comes from `libm` or from our
//! own polynomials. Rounding is banned with the others: it becomes a call or an instruction by the
//! target's choice, and integer code says better what is meant.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{ExprMethodCall, ImplItemFn, Item, Macro, Path};

use super::source::{Finding, Source, attributes, is_test};

const FLOORS: [&str; 5] = ["time", "param", "dsp", "pattern", "rt"];

const BANNED: &[&str] = &[
    "sin",
    "cos",
    "tan",
    "sin_cos",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "exp",
    "exp2",
    "exp_m1",
    "ln",
    "ln_1p",
    "log",
    "log2",
    "log10",
    "powf",
    "powi",
    "cbrt",
    "hypot",
    "mul_add",
    "round",
    "round_ties_even",
    "floor",
    "ceil",
    "fract",
    "trunc",
];

/// Integers have these too; only a float's type before them gives them away.
const BANNED_AFTER_FLOAT: &[&str] = &["rem_euclid", "div_euclid"];

/// The breaches of one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let module: Vec<&str> = source.module.iter().map(String::as_str).collect();
    let realtime = module.first().is_some_and(|floor| FLOORS.contains(floor));
    // The notation reads and writes text, off the audio thread; its numbers travel as values.
    if !realtime || module.starts_with(&["pattern", "text"]) {
        return Vec::new();
    }
    let mut visitor = Calls { path: &source.path, findings: Vec::new() };
    for item in &source.items {
        visitor.visit_item(item);
    }
    visitor.findings
}

struct Calls<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Calls<'_> {
    fn found(&mut self, name: &proc_macro2::Ident) {
        self.findings.push(Finding {
            path: self.path.to_owned(),
            line: name.span().start().line,
            message: format!(
                "`{name}` of std: its bits differ between machines; take libm's or a polynomial of our own"
            ),
        });
    }

    /// Calls inside macros, which are tokens to the parser: `.name (`.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for window in trees.windows(3) {
            if let [TokenTree::Punct(dot), TokenTree::Ident(name), TokenTree::Group(_)] = window
                && dot.as_char() == '.'
                && BANNED.iter().any(|banned| name == banned)
            {
                self.found(name);
            }
        }
        for tree in trees {
            if let TokenTree::Group(group) = tree {
                self.tokens(group.stream());
            }
        }
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if BANNED.iter().any(|banned| call.method == banned) {
            self.found(&call.method);
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path.segments.iter().collect();
        for pair in segments.windows(2) {
            let of_float = pair[0].ident == "f32" || pair[0].ident == "f64";
            let name = &pair[1].ident;
            if of_float && BANNED.iter().chain(BANNED_AFTER_FLOAT).any(|banned| name == banned) {
                self.found(name);
            }
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::parse;

    const NONE: [usize; 0] = [];

    fn breaches(path: &str, text: &str) -> Vec<usize> {
        check(&parse(path, text).expect("Rust")).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn planted_functions_are_found() {
        assert_eq!(breaches("dsp/osc.rs", "fn f(x: f32) -> f32 {\n x.sin()\n}"), [2]);
        assert_eq!(breaches("rt/engine.rs", "fn f(x: f32) -> f32 { x.mul_add(2.0, 1.0) }"), [1]);
        assert_eq!(breaches("rt.rs", "const F: fn(f32) -> f32 = f32::tanh;"), [1]);
        assert_eq!(
            breaches("pattern/groove.rs", "fn f(x: f64) -> f64 { x.round() + f64::rem_euclid(x, 1.0) }"),
            [1, 1]
        );
        assert_eq!(breaches("time.rs", "fn f(x: f32) {\n println!(\"{}\", x.powf(2.0)); }"), [2]);
        assert_eq!(breaches("dsp.rs", "struct A; impl A { fn f(&self, x: f32) -> f32 { x.exp() } }"), [1]);
    }

    #[test]
    fn what_is_equal_everywhere_passes() {
        let text =
            "fn f(x: f32, n: i64) -> f32 { libm::sinf(x.abs().sqrt().min(1.0)) + n.rem_euclid(4) as f32 }";
        assert_eq!(breaches("dsp.rs", text), NONE);
    }

    #[test]
    fn tests_text_and_upper_floors_pass() {
        let call = "fn f(x: f32) -> f32 { x.sin() }";
        assert_eq!(breaches("pattern/text.rs", call), NONE);
        assert_eq!(breaches("pattern/text/write.rs", call), NONE);
        assert_eq!(breaches("client/clock.rs", call), NONE);
        assert_eq!(breaches("dsp.rs", &format!("#[cfg(test)]\nmod tests {{ {call} }}")), NONE);
    }
}
