//! A block as tasks hand it on.

use talatat_graph::{Block as GraphBlock, Brief, KernelResult};

use super::Block;

impl GraphBlock for Block {
    fn nbytes(&self) -> usize {
        Block::nbytes(self)
    }

    fn brief(&self) -> Brief {
        Brief::new(self.dtype().name(), self.shape())
    }

    fn codec(&self) -> Option<&'static str> {
        Some("array")
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        Block::encode(self, out);
        Ok(())
    }

    fn raw(&self) -> Option<(Vec<u8>, &[u8])> {
        self.raw_bytes()
    }

    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        Block::write(self, out)
    }
}
