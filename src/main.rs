fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let h = consolidate::history::read(std::path::Path::new(&dir)).unwrap_or_else(|e| { for e in e { eprintln!("{e}"); } std::process::exit(2) });
    let t = std::time::Instant::now();
    let m = consolidate::replay::replay(&h);
    eprintln!("replay {:?}", t.elapsed());
    let cfg = consolidate::config::Config::default();
    let mut settings = consolidate::proof::Settings { one_session: true, ..Default::default() };
    if let Some(p) = std::env::args().nth(2) {
        let text = std::fs::read_to_string(p).unwrap();
        settings.prelude = vec![consolidate::proof::ReplayFile { name: "prelude".into(), in_transaction: false, statements: consolidate::sql::split::split(&text).into_iter().map(|p| consolidate::proof::ReplayStatement { line: 1, text: text[p.body].to_string(), copy_data: None }).collect() }];
    }
    match consolidate::emit::prove(&h, &m, &cfg, &settings, &consolidate::proof::Silent) {
        Ok(p) => {
            println!("{} -> {} rungs {:?} rounds {} {:?} {:.1}s", h.statements.len(), p.set.statements(), p.rungs, p.rounds, p.verdict.kind, t.elapsed().as_secs_f64());
            for l in &p.lowered { println!("  {} : {}", l.object, l.why); }
            if std::env::args().nth(3).is_some() { for f in &p.set.files { std::fs::write(format!("/tmp/out/{}", f.name), &f.text).unwrap(); } }
        }
        Err(consolidate::emit::Unproven::History(e)) => println!("history: {e}"),
        Err(consolidate::emit::Unproven::Candidate(e)) => println!("candidate: {e}"),
        Err(consolidate::emit::Unproven::Different(v)) => println!("{}", consolidate::report::verdict::text(&v, Default::default())),
    }
}
