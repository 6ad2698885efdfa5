//! What is split and what is whole: the operations of a graph by the way in which their results are cut.

use talatat_collections::Split;

/// Ways of cutting that are listed, and operations of each.
const WAYS: usize = 8;
const NAMES: usize = 4;
/// The longest name of an operation here.
const LONGEST: usize = 60;

/// A line for each way of cutting, in order of first use; none if there is only one block of everything.
pub(crate) fn lines(splits: &[Split]) -> Vec<String> {
    if splits.iter().all(|split| split.blocks <= 1) {
        return Vec::new();
    }
    let mut ways: Vec<((&str, usize), Vec<&str>)> = Vec::new();
    for split in splits {
        let way = (split.how.as_str(), split.blocks);
        let at = ways.iter().position(|(known, _)| *known == way).unwrap_or_else(|| {
            ways.push((way, Vec::new()));
            ways.len() - 1
        });
        if let Some((_, operations)) = ways.get_mut(at) {
            operations.push(split.operation.lines().next().unwrap_or_default());
        }
    }
    let more = ways.len().saturating_sub(WAYS);
    let line = |((how, blocks), operations): &((&str, usize), Vec<&str>)| {
        let plural = if *blocks == 1 { "" } else { "s" };
        let names: Vec<String> = operations.iter().take(NAMES).map(|name| clipped(name)).collect();
        let others = operations.len().saturating_sub(NAMES);
        let others = if others > 0 { format!("; {others} more") } else { String::new() };
        format!("{how}, {blocks} block{plural}: {}{others}", names.join("; "))
    };
    let mut lines: Vec<String> = ways.iter().take(WAYS).map(line).collect();
    if more > 0 {
        lines.push(format!("and {more} other ways"));
    }
    lines
}

fn clipped(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &name[..at]),
        None => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(operation: &str, blocks: usize, how: &str) -> Split {
        Split { operation: operation.into(), blocks, how: how.into() }
    }

    #[test]
    fn operations_are_grouped_by_their_cuts() {
        let splits = [
            split("npy a", 4, "axis 0 in 4, axis 1 whole"),
            split("memory", 1, "whole"),
            split("add", 4, "axis 0 in 4, axis 1 whole"),
            split(&"long ".repeat(30), 1, "whole"),
        ];
        insta::assert_snapshot!(lines(&splits).join("\n"), @r"
        axis 0 in 4, axis 1 whole, 4 blocks: npy a; add
        whole, 1 block: memory; long long long long long long long long long long long long ...
        ");
    }

    #[test]
    fn one_block_is_not_worth_saying_and_many_ways_are_counted() {
        assert_eq!(lines(&[split("a", 1, "whole")]), [""; 0]);
        let many: Vec<Split> = (2..22).flat_map(|blocks| vec![split("a", blocks, "rows"); 6]).collect();
        let lines = lines(&many);
        assert_eq!((lines.len(), lines[8].as_str()), (9, "and 12 other ways"));
        assert_eq!(lines[0], "rows, 2 blocks: a; a; a; a; 2 more");
    }
}
