//! `real-tools sqlx|refinery FOLDER URL`: runs a folder of migrations by a library, and prints how many it ran.

use sqlx_core::connection::Connection;
use std::error::Error;
use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tool, folder, url] = &arguments[..] else { return Err("real-tools TOOL FOLDER URL".into()) };
    match tool.as_str() {
        "sqlx" => sqlx(folder, url).await,
        "refinery" => refinery(folder, url).await,
        _ => Err(format!("no tool {tool}").into()),
    }
}

async fn sqlx(folder: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let migrator = sqlx_core::migrate::Migrator::new(Path::new(folder)).await?;
    let mut connection = sqlx_postgres::PgConnection::connect(url).await?;
    migrator.run_direct(&mut connection).await?;
    println!("{}", migrator.iter().count());
    Ok(())
}

async fn refinery(folder: &str, url: &str) -> Result<(), Box<dyn Error>> {
    let migrations = refinery_core::load_sql_migrations(folder)?;
    let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(connection);
    let report = refinery_core::Runner::new(&migrations).run_async(&mut client).await?;
    println!("{}", report.applied_migrations().len());
    drop(client);
    driver.await??;
    Ok(())
}
