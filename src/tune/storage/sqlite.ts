/**
 * Trials in a SQLite file that any number of processes may share: write-ahead log, every change one transaction.
 *
 * A trial says which process runs it, so that others can tell when that process is gone (`kill -9`, no memory) and count the trial as failed.
 */
import { isProcessRunning, openSqlite, processName } from "#platform";
import { ArgumentError, FormatError } from "../../base/errors.ts";
import type { SqliteDatabase, SqliteRow, SqliteValue } from "../../platform/platform.ts";
import { type ChoiceValue, contains, type Distribution, distributionFrom } from "../distribution.ts";
import { isEnded, type TrialRecord, type TrialState } from "../trial-record.ts";
import { lostReason, type StudyKey, type TrialStore } from "./storage.ts";

/** Kept in the file: one of a later version is refused, not misread. */
const schemaVersion = 1;

const schema = `
  CREATE TABLE IF NOT EXISTS study (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, direction TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS trial (
    study INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, value REAL, reason TEXT, process TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, PRIMARY KEY (study, number)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS parameter (
    study INTEGER NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    distribution TEXT NOT NULL, PRIMARY KEY (study, number, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS attribute (
    study INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (study, number, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS report (
    study INTEGER NOT NULL, number INTEGER NOT NULL, step REAL NOT NULL, value REAL, PRIMARY KEY (study, number, step)) WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`;

async function openFile(path: string): Promise<SqliteDatabase> {
  const database = await openSqlite(path);
  try {
    const version = Number(database.all("PRAGMA user_version")[0]?.["user_version"]);
    if (version > schemaVersion) {
      throw new FormatError(
        `${path} holds studies of a newer Netwright (version ${version}, here ${schemaVersion}); update it`,
      );
    }
    if (version === schemaVersion) return database;
    const others = database.all(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    );
    const foreign = others.filter(
      ({ name }) => !["study", "trial", "parameter", "attribute", "report"].includes(String(name)),
    );
    if (foreign.length > 0) {
      throw new FormatError(
        `${path} is a database of something else (table ${foreign[0]!["name"]}); give another path`,
      );
    }
    database.all("PRAGMA journal_mode = WAL");
    database.transaction(() => database.execute(schema));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The names of the studies in a file, by which they are opened.
 *
 * @throws FormatError for a file that holds no studies
 * @example
 * const search = await study({ storage: "studies.sqlite", name: "first" });
 * search.close();
 * await studyNames("studies.sqlite"); // ["first"]
 */
export async function studyNames(path: string): Promise<readonly string[]> {
  const database = await openFile(path);
  try {
    return database.all("SELECT name FROM study ORDER BY id").map(({ name }) => String(name));
  } finally {
    database.close();
  }
}

export async function sqliteStore(path: string, key: StudyKey): Promise<TrialStore> {
  const database = await openFile(path);
  try {
    const id = database.transaction(() => studyId(database, path, key));
    return new SqliteStore(path, database, id);
  } catch (error) {
    database.close();
    throw error;
  }
}

function studyId(database: SqliteDatabase, path: string, { name, direction, resume }: StudyKey): number {
  const find = (): SqliteRow | undefined =>
    database.all("SELECT id, direction FROM study WHERE name = ?", name)[0];
  const known = find();
  if (known === undefined) {
    database.run("INSERT INTO study (name, direction) VALUES (?, ?)", name, direction);
    return Number(find()!["id"]);
  }
  const id = Number(known["id"]);
  const count = Number(database.all("SELECT count(*) AS count FROM trial WHERE study = ?", id)[0]!["count"]);
  if (!resume && count > 0) {
    throw new ArgumentError(
      `the study "${name}" in ${path} has ${count} trials already: go on with it by { resume: true }, or give another name`,
    );
  }
  if (known["direction"] !== direction) {
    throw new ArgumentError(`the study "${name}" in ${path} ${known["direction"]}s, it cannot ${direction}`);
  }
  return id;
}

class SqliteStore implements TrialStore {
  readonly place: string;
  readonly #database: SqliteDatabase;
  readonly #study: number;
  /** Ended trials by number: they never change. */
  readonly #ended: TrialRecord[] = [];

  constructor(place: string, database: SqliteDatabase, study: number) {
    this.place = place;
    this.#database = database;
    this.#study = study;
  }

  trials(): readonly TrialRecord[] {
    // Trials end out of order: from the first that had not ended, all are read again.
    let known = 0;
    while (this.#ended[known] !== undefined) known++;
    const read = this.#database.transaction(() => this.#read(known));
    for (const trial of read) if (isEnded(trial)) this.#ended[trial.number] ??= trial;
    return [...this.#ended.slice(0, known), ...read];
  }

  #read(from: number): TrialRecord[] {
    const rows = (sql: string): SqliteRow[] => this.#database.all(sql, this.#study, from);
    const trials = rows("SELECT * FROM trial WHERE study = ? AND number >= ? ORDER BY number");
    const parameters = byNumber(
      rows("SELECT * FROM parameter WHERE study = ? AND number >= ? ORDER BY number, position"),
    );
    const attributes = byNumber(rows("SELECT * FROM attribute WHERE study = ? AND number >= ?"));
    const reports = byNumber(
      rows("SELECT * FROM report WHERE study = ? AND number >= ? ORDER BY number, step"),
    );
    return trials.map((row) => {
      const number = Number(row["number"]);
      const own = (parameters.get(number) ?? []).map(parameterFrom);
      return {
        number,
        state: row["state"] as TrialState,
        value: numberFrom(row["value"]!),
        parameters: new Map(own.map(({ name, value }) => [name, value])),
        distributions: new Map(own.map(({ name, distribution }) => [name, distribution])),
        reports: new Map(
          (reports.get(number) ?? []).map(({ step, value }) => [
            Number(step),
            numberFrom(value!) ?? Number.NaN,
          ]),
        ),
        attributes: new Map(
          (attributes.get(number) ?? []).map(({ name, value }) => [String(name), String(value)]),
        ),
        reason: row["reason"] === null ? undefined : String(row["reason"]),
        startedMs: Number(row["started"]),
        endedMs: numberFrom(row["ended"]!),
      };
    });
  }

  begin(limit: number): number | undefined {
    return this.#database.transaction(() => {
      const counted = this.#database.all("SELECT count(*) AS count FROM trial WHERE study = ?", this.#study);
      const number = Number(counted[0]!["count"]);
      if (number >= limit) return undefined;
      this.#database.run(
        "INSERT INTO trial (study, number, state, process, started) VALUES (?, ?, 'running', ?, ?)",
        ...[this.#study, number, processName(), Date.now()],
      );
      return number;
    });
  }

  setParameter(number: number, name: string, value: ChoiceValue, distribution: Distribution): void {
    this.#database.run(
      "INSERT OR REPLACE INTO parameter SELECT ?1, ?2, (SELECT count(*) FROM parameter WHERE study = ?1 AND number = ?2), ?3, ?4, ?5",
      ...([
        this.#study,
        number,
        name,
        JSON.stringify(value),
        JSON.stringify(distribution),
      ] satisfies SqliteValue[]),
    );
  }

  setAttribute(number: number, name: string, value: string): void {
    this.#database.run(
      "INSERT OR REPLACE INTO attribute VALUES (?, ?, ?, ?)",
      this.#study,
      number,
      name,
      value,
    );
  }

  report(number: number, step: number, value: number): void {
    const kept = Number.isNaN(value) ? null : value;
    this.#database.run("INSERT OR REPLACE INTO report VALUES (?, ?, ?, ?)", this.#study, number, step, kept);
  }

  end(number: number, { state, value, reason }: Parameters<TrialStore["end"]>[1]): void {
    this.#database.run(
      "UPDATE trial SET state = ?, value = ?, reason = ?, ended = ? WHERE study = ? AND number = ? AND state = 'running'",
      ...[state, value ?? null, reason ?? null, Date.now(), this.#study, number],
    );
  }

  endLost(): readonly number[] {
    const running = this.#database.all(
      "SELECT number, process FROM trial WHERE study = ? AND state = 'running'",
      this.#study,
    );
    const lost = running.filter(({ process }) => isProcessRunning(String(process)) === false);
    for (const { number } of lost) this.end(Number(number), { state: "failed", reason: lostReason });
    return lost.map(({ number }) => Number(number));
  }

  close(): void {
    this.#database.close();
  }
}

const numberFrom = (value: SqliteValue): number | undefined => (value === null ? undefined : Number(value));

function byNumber(rows: readonly SqliteRow[]): ReadonlyMap<number, readonly SqliteRow[]> {
  const groups = new Map<number, SqliteRow[]>();
  for (const row of rows) {
    const number = Number(row["number"]);
    const group = groups.get(number);
    if (group === undefined) groups.set(number, [row]);
    else group.push(row);
  }
  return groups;
}

/** The file may come from anywhere: a value must be one that its distribution holds. */
function parameterFrom(row: SqliteRow): { name: string; value: ChoiceValue; distribution: Distribution } {
  const name = String(row["name"]);
  const distribution = distributionFrom(String(row["distribution"]));
  let value: unknown;
  try {
    value = JSON.parse(String(row["value"]));
  } catch {
    // Told below.
  }
  if (contains(distribution, value)) return { name, value, distribution };
  throw new FormatError(
    `trial ${row["number"]} has a damaged parameter "${name}": ${String(row["value"]).slice(0, 100)}`,
  );
}
