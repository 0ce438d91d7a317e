/** Databases in files: SQLite through Node's own or a package, DuckDB through `@duckdb/node-api`. */
import { openSqlite } from "#platform";
import { FormatError, NetwrightError } from "../../base/errors.ts";
import { optionalPackage } from "../../base/optional.ts";
import type { Table } from "../table.ts";
import { tableOfRows } from "./values.ts";

type Rows = Record<string, unknown>[];
type Parameter = string | number | bigint | null;

/** The result of a query as a table; errors of the database name it. */
async function queried(what: string, run: () => Promise<Rows>): Promise<Table> {
  try {
    return tableOfRows(what, await run());
  } catch (cause) {
    if (cause instanceof NetwrightError) throw cause;
    throw new FormatError(`${what}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * The result of a query of a SQLite file, which is only read. Needs Node 22.13 or newer, or one of the packages `better-sqlite3` and `libsql`.
 *
 * @throws PlatformError when there is none of them, FileError for a missing file, FormatError with the database's own message
 * @example
 * // not run: needs a database
 * const rows = await readSqlite("shop.sqlite", "SELECT price, city FROM orders WHERE year = ?", [2024]);
 */
export async function readSqlite(
  path: string,
  sql: string,
  parameters: readonly Parameter[] = [],
): Promise<Table> {
  const database = await openSqlite(path, { readOnly: true });
  try {
    return await queried(path, async () => database.all(sql, ...parameters));
  } finally {
    database.close();
  }
}

/** Native packages are named by a variable: no bundler could take them in. */
const packageNamed = (name: string, purpose: string): Promise<unknown> =>
  optionalPackage(name, purpose, () => import(/* @vite-ignore */ name));

interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string): Promise<{ connect(): Promise<DuckDbConnection>; closeSync?(): void }>;
  };
}
interface DuckDbConnection {
  runAndReadAll(sql: string): Promise<{ getRowObjectsJS(): Rows }>;
  closeSync?(): void;
}

/**
 * The result of a query of DuckDB, which reads CSV, Parquet and JSON files larger than memory: filter, join and aggregate there, and take
 * what is left. Needs the package `@duckdb/node-api`. The database is a file, or ":memory:".
 *
 * @throws PlatformError when the package is missing, FormatError with the database's own message
 * @example
 * // not run: needs the package
 * const rows = await readDuckDb(":memory:", "SELECT city, avg(price) AS price FROM 'orders/*.parquet' GROUP BY city");
 */
export async function readDuckDb(path: string, sql: string): Promise<Table> {
  const { DuckDBInstance } = (await packageNamed("@duckdb/node-api", "readDuckDb")) as DuckDb;
  return queried("readDuckDb", async () => {
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    try {
      return (await connection.runAndReadAll(sql)).getRowObjectsJS();
    } finally {
      connection.closeSync?.();
      instance.closeSync?.();
    }
  });
}
