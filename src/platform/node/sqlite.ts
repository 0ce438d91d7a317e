/** SQLite: Node's own where it has one, else a package. */
import { FileError, FormatError, NetwrightError, PlatformError } from "../../base/errors.ts";
import type { SqliteDatabase, SqliteRow, SqliteValue } from "../platform.ts";

/** What `node:sqlite`, `better-sqlite3` and `libsql` have in common. */
interface Database {
  prepare(sql: string): { all(...values: SqliteValue[]): unknown[]; run(...values: SqliteValue[]): unknown };
  exec(sql: string): void;
  close(): void;
}

type Open = (path: string, readOnly: boolean) => Database;

/** Named by variables: no bundler could take native code in. */
const packages = ["better-sqlite3", "libsql"];

let found: Promise<Open> | undefined;

async function driver(): Promise<Open> {
  // Missing in Node 20, and behind a flag in early versions of 22.
  const own = process.getBuiltinModule?.("node:sqlite" as "node:fs") as unknown as
    | { DatabaseSync: new (path: string, options: object) => Database }
    | undefined;
  if (own !== undefined) return (path, readOnly) => new own.DatabaseSync(path, { readOnly });
  for (const name of packages) {
    try {
      const { default: Driver } = (await import(/* @vite-ignore */ name)) as {
        default: new (path: string, options: object) => Database;
      };
      return (path, readonly) => new Driver(path, { readonly });
    } catch {
      // Not installed, or made for another Node: the next may do.
    }
  }
  throw new PlatformError(
    `SQLite needs Node 22.13 or newer, or one of the packages ${packages.join(", ")}: npm install libsql`,
  );
}

export async function openSqlite(
  path: string,
  { readOnly = false }: { readOnly?: boolean } = {},
): Promise<SqliteDatabase> {
  found ??= driver();
  const open = await found.catch((error) => {
    found = undefined;
    throw error;
  });
  const { existsSync } = await import("node:fs");
  if (readOnly && path !== ":memory:" && !existsSync(path)) {
    throw new FileError(`cannot open "${path}" as SQLite: there is no such file`);
  }
  const named = <T>(run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof NetwrightError) throw cause;
      throw new FormatError(`${path}: ${(cause as Error).message}`, { cause });
    }
  };
  const database = named(() => open(path, readOnly));
  // Who finds the file locked waits for so long. With a write-ahead log, "normal" loses nothing when a process is killed, and waits for the disk
  // once in a while instead of at each change.
  named(() => database.exec("PRAGMA busy_timeout = 30000; PRAGMA synchronous = NORMAL"));
  return {
    all: (sql, ...values) => named(() => database.prepare(sql).all(...values) as SqliteRow[]),
    run: (sql, ...values) => void named(() => database.prepare(sql).run(...values)),
    execute: (sql) => named(() => database.exec(sql)),
    transaction<T>(body: () => T): T {
      named(() => database.exec("BEGIN IMMEDIATE"));
      try {
        const result = body();
        named(() => database.exec("COMMIT"));
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    close: () => database.close(),
  };
}
