//! Squares of 1000 numbers on two workers of this machine.

use std::sync::Arc;

use quarry::{Power, registry};
use talatat_cluster::Cluster;
use talatat_graph::{Executor, GraphBuilder, Key, Layer, Plan, PlanOptions, RunContext};

fn main() -> talatat_graph::Result<()> {
    let mut graph = GraphBuilder::new();
    let squares = graph.layer(Layer::new(Key::of("squares", &[]), Arc::new(Power { exponent: 2 })));
    for block in 0..1000 {
        let square = graph.task(squares, block, 8, &[])?;
        graph.output(square.into());
    }
    let plan = Arc::new(Plan::new(graph.build(), &PlanOptions::default())?);
    let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
    let values = Cluster::local(2)?.execute(plan, &context)?;
    println!("the last of {} squares is {:?}", values.len(), values.last());
    Ok(())
}
