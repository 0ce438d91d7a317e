/** ISO 8601 dates as milliseconds since 1970, in the proleptic Gregorian calendar. */

const pattern =
  /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * The time that a text says: 2024-02-29, 2024-02-29T12:30, 2024-02-29 12:30:00.25Z, 2024-02-29T12:30:00+01:00. Without a zone
 * it is UTC. Undefined where it is no such date, or one that the calendar does not have (2023-02-29).
 *
 * @example parseDate("2024-02-29T12:30:00+01:00") // 1709206200000
 */
export function parseDate(text: string): number | undefined {
  if (text.length < 10 || text.charCodeAt(4) !== 45) return undefined;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] = match;
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  const days = daysFromCivil(y, m, d);
  if (m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m)) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const milliseconds = fraction === "" ? 0 : Math.floor(Number(fraction.padEnd(9, "0")) / 1e6);
  const time = ((days * 24 + Number(hour)) * 60 + Number(minute)) * 60 + Number(second);
  return time * 1000 + milliseconds - zoneMinutes(zone) * 60_000;
}

function zoneMinutes(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone[0] === "-" ? -minutes : minutes;
}

/** Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
