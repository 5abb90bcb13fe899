//! The golden cases that all bindings of the library share, and two of our own.
mod arguments;
mod call;
mod case;

use std::fs;
use std::path::Path;

use arguments::{numbers, Arguments, Storage};
use case::{parse, Case};
use vkv::{Backend, Context, Op, ReportKind};

/// The library's cases, where this crate lies in the library's source tree.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden");
const OWN: &str = include_str!("own.txt");

/// What is not as the case says.
fn run(context: &Context, case: &Case) -> Result<(), String> {
    let bytes = case.tensors.iter().map(|tensor| tensor.bytes.as_deref().unwrap_or(&[]));
    let mut storages: Vec<Storage> = bytes.map(Storage::new).collect();
    let answer = call::call(context, case, &mut Arguments::new(case, &mut storages))?;
    let report = context.read_device_report().map_err(|error| error.to_string())?;

    match answer {
        Ok(()) if case.status == 0 => (),
        Ok(()) => return Err(format!("it succeeds, expected status {}", case.status)),
        Err(error) if error.status().code() != case.status => {
            return Err(format!("status {}: {}", error.status().code(), error))
        }
        Err(error) if !error.message().contains(&case.message) => return Err(format!("message: {}", error)),
        Err(_) => (),
    }
    for expected in &case.expectations {
        let index = case.tensors.iter().position(|tensor| tensor.field == expected.field);
        let index = index.ok_or_else(|| format!("it has no tensor {}", expected.field))?;
        let got = storages[index].bytes();
        match expected.close {
            None if got != expected.bytes => return Err(format!("bytes of {}", expected.field)),
            None => (),
            Some((limit, dtype)) => {
                let (got, want) = (numbers(&got, case.tensors[index].dtype), numbers(&expected.bytes, dtype));
                let distance = relative_l2(&got, &want);
                if !matches!(distance.partial_cmp(&limit), Some(order) if order.is_le()) {
                    return Err(format!("{}: relative L2 {}, expected at most {}", expected.field, distance, limit));
                }
            }
        }
    }
    let got = report.map(|report| (report.what, report.count));
    let want = case.report.as_ref().map(|(what, count)| Ok::<_, String>((report_kind(what)?, *count))).transpose()?;
    if got != want {
        return Err(format!("report {:?}, expected {:?}", got, want));
    }
    Ok(())
}

fn relative_l2(got: &[f64], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let error: f64 = got.iter().zip(want).map(|(got, want)| (got - want).powi(2)).sum();
    let norm: f64 = want.iter().map(|want| want.powi(2)).sum();
    (error / norm).sqrt()
}

fn report_kind(name: &str) -> Result<ReportKind, String> {
    Ok(match name {
        "VKV_REPORT_SLOT" => ReportKind::SLOT,
        "VKV_REPORT_BLOCK_ID" => ReportKind::BLOCK_ID,
        "VKV_REPORT_TABLE_COLUMN" => ReportKind::TABLE_COLUMN,
        "VKV_REPORT_LENGTH" => ReportKind::LENGTH,
        "VKV_REPORT_OFFSET" => ReportKind::OFFSET,
        "VKV_REPORT_POSITION" => ReportKind::POSITION,
        other => return Err(format!("there is no {}", other)),
    })
}

/// Names of the library's operations.
fn operations() -> impl Iterator<Item = String> {
    (1..).map(|number| Op(number).to_string()).take_while(|name| name != "unknown op")
}

#[test]
fn golden_cases_of_the_library() {
    if !Path::new(FOLDER).exists() {
        return println!("skipped: the library's tests/golden is not here");
    }
    let context = Context::new(Backend::Cpu).unwrap();
    let mut failures = Vec::new();
    let mut count = 0;
    for op in operations() {
        let text =
            fs::read_to_string(format!("{}/{}.txt", FOLDER, op)).unwrap_or_else(|error| panic!("{}: {}", op, error));
        let cases = parse(&text).unwrap_or_else(|error| panic!("{}: {}", op, error));
        assert!(!cases.is_empty(), "{} has no case", op);
        count += cases.len();
        for case in cases {
            failures.extend(run(&context, &case).err().map(|error| format!("{}: {}: {}", op, case.name, error)));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), count, failures.join("\n"));
    println!("{} cases", count);
}

#[test]
fn own_cases() {
    let context = Context::new(Backend::Cpu).unwrap();
    for case in parse(OWN).unwrap() {
        run(&context, &case).unwrap_or_else(|error| panic!("{}: {}", case.name, error));
    }
}

/// Every line of the own cases matters: with another word there, some case fails.
#[test]
fn mistakes_are_noticed() {
    let context = Context::new(Backend::Cpu).unwrap();
    let is_noticed = |text: &str| match parse(text) {
        Ok(cases) => cases.iter().any(|case| run(&context, case).is_err()),
        Err(_) => true,
    };
    let changes = [
        ("op concat_mla_q", "op concat_mla"),
        ("tensor q_pe f32", "tensor k_pe f32"),
        ("tensor q_pe f32", "tensor q_pe f16"),
        ("2,1,2 6,2,1", "2,1,2 6,2,2"),
        ("scalar scale 2", "scalar scale 3"),
        ("scalar scale 2", "scalar scales 2"),
        ("status 0", "status 100"),
        ("status 100", "status 0"),
        ("message q_out.shape[2] is 4", "message q_out.shape[2] is 5"),
        ("expect q_out exact 0000803f", "expect q_out exact 0000813f"),
        ("expect dst close 1e-6 f32 00000040", "expect dst close 1e-6 f32 01010040"),
        ("report VKV_REPORT_SLOT 2", "report VKV_REPORT_SLOT 1"),
        ("report VKV_REPORT_SLOT 2", "report VKV_REPORT_BLOCK_ID 2"),
        ("report VKV_REPORT_SLOT 2", "# nothing reported"),
        ("status 0", "state 0"),
    ];
    assert!(!is_noticed(OWN));
    for (from, to) in changes {
        assert!(OWN.contains(from), "'{}' is not in the cases", from);
        assert!(is_noticed(&OWN.replacen(from, to, 1)), "'{}' in place of '{}' goes unnoticed", to, from);
    }
}
