//! `micro` names the steps; `micro STEP COUNT` does one of them so often, for callgrind to count.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let mut cases = micro::cases();
    let [name, count] = arguments.as_slice() else {
        for case in cases {
            println!("{}", case.name);
        }
        return ExitCode::SUCCESS;
    };
    let case = cases.iter_mut().find(|case| case.name == name);
    let (Some(case), Ok(count)) = (case, count.parse::<u64>()) else {
        eprintln!("usage: micro [STEP COUNT]");
        return ExitCode::FAILURE;
    };
    for _ in 0..count {
        (case.step)();
    }
    ExitCode::SUCCESS
}
