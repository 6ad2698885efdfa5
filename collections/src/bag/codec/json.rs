//! JSON values as bytes. Not as JSON text: numbers come back as they were, bit by bit.

use serde_json::{Number, Value as Json};
use talatat_graph::KernelResult;

use super::{cannot, cut_short, taken};

fn some<'a>(bytes: &mut &'a [u8]) -> KernelResult<&'a [u8]> {
    let length = usize::try_from(u64::from_le_bytes(taken(bytes)?)).map_err(|_| cut_short())?;
    let (text, rest) = bytes.split_at_checked(length).ok_or_else(cut_short)?;
    *bytes = rest;
    Ok(text)
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn read_text(bytes: &mut &[u8]) -> KernelResult<String> {
    std::str::from_utf8(some(bytes)?).map(String::from).map_err(|_| cut_short())
}

/// The deepest nesting of JSON values that is written: serde_json reads 128.
const DEEPEST: usize = 512;

pub(super) fn write_json(value: &Json, out: &mut Vec<u8>) -> KernelResult<()> {
    json_out(value, out, 0)
}

fn json_out(value: &Json, out: &mut Vec<u8>, depth: usize) -> KernelResult<()> {
    if depth > DEEPEST {
        return Err(cannot::<Json>(format!("it is nested more than {DEEPEST} times")));
    }
    match value {
        Json::Null => out.push(0),
        Json::Bool(value) => out.extend([1, u8::from(*value)]),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => {
                out.push(2);
                out.extend(number.to_le_bytes());
            }
            (_, Some(number), _) => {
                out.push(3);
                out.extend(number.to_le_bytes());
            }
            (.., Some(number)) => {
                out.push(4);
                out.extend(number.to_le_bytes());
            }
            _ => return Err(cannot::<Json>(format!("the number {number} is too large"))),
        },
        Json::String(text) => {
            out.push(5);
            write_text(text, out);
        }
        Json::Array(items) => {
            out.push(6);
            out.extend((items.len() as u64).to_le_bytes());
            items.iter().try_for_each(|item| json_out(item, out, depth + 1))?;
        }
        Json::Object(fields) => {
            out.push(7);
            out.extend((fields.len() as u64).to_le_bytes());
            for (name, value) in fields {
                write_text(name, out);
                json_out(value, out, depth + 1)?;
            }
        }
    }
    Ok(())
}

pub(super) fn read_json(bytes: &mut &[u8]) -> KernelResult<Json> {
    json_in(bytes, 0)
}

fn json_in(bytes: &mut &[u8], depth: usize) -> KernelResult<Json> {
    if depth > DEEPEST {
        return Err(cut_short());
    }
    let [kind] = taken(bytes)?;
    Ok(match kind {
        0 => Json::Null,
        1 => Json::Bool(taken::<1>(bytes)? != [0]),
        2 => Json::Number(u64::from_le_bytes(taken(bytes)?).into()),
        3 => Json::Number(i64::from_le_bytes(taken(bytes)?).into()),
        4 => Json::Number(Number::from_f64(f64::from_le_bytes(taken(bytes)?)).ok_or_else(cut_short)?),
        5 => Json::String(read_text(bytes)?),
        6 => {
            let count = u64::from_le_bytes(taken(bytes)?);
            Json::Array((0..count).map(|_| json_in(bytes, depth + 1)).collect::<KernelResult<_>>()?)
        }
        7 => {
            let count = u64::from_le_bytes(taken(bytes)?);
            let field = |_| -> KernelResult<(String, Json)> { Ok((read_text(bytes)?, json_in(bytes, depth + 1)?)) };
            Json::Object((0..count).map(field).collect::<KernelResult<_>>()?)
        }
        _ => return Err(cut_short()),
    })
}
