/** A step that makes numbers of dates. */
import { numberColumn } from "../column.ts";
import { type ColumnStep, checkChoice, columnStep, type Operation } from "./operation.ts";

const day = 86_400_000;
const angle = (fraction: number): number => 2 * Math.PI * fraction;

/** What a date is split into; all in UTC. Cyclic parts are a sine and a cosine: December stands beside January. */
const parts = {
  year: (date: Date) => date.getUTCFullYear(),
  month: (date: Date) => date.getUTCMonth() + 1,
  day: (date: Date) => date.getUTCDate(),
  /** Monday is 0, as in pandas. */
  weekday: (date: Date) => (date.getUTCDay() + 6) % 7,
  hour: (date: Date) => date.getUTCHours(),
  minute: (date: Date) => date.getUTCMinutes(),
  /** From 1. */
  dayOfYear: (date: Date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / day) + 1,
  /** Days since 1970, with a fraction. */
  days: (date: Date) => date.getTime() / day,
  monthSin: (date: Date) => Math.sin(angle(date.getUTCMonth() / 12)),
  monthCos: (date: Date) => Math.cos(angle(date.getUTCMonth() / 12)),
  weekdaySin: (date: Date) => Math.sin(angle(((date.getUTCDay() + 6) % 7) / 7)),
  weekdayCos: (date: Date) => Math.cos(angle(((date.getUTCDay() + 6) % 7) / 7)),
  hourSin: (date: Date) => Math.sin(angle(hours(date) / 24)),
  hourCos: (date: Date) => Math.cos(angle(hours(date) / 24)),
} as const;

const hours = (date: Date): number => date.getUTCHours() + date.getUTCMinutes() / 60;

export type DatePart = keyof typeof parts;
const partNames = Object.keys(parts) as DatePart[];

export const datePartsOperation: Operation<
  { readonly parts: readonly DatePart[] },
  { readonly parts: readonly string[] }
> = {
  name: "dateParts",
  kinds: ["date"],
  state: { parts: "strings" },
  fit: (_, { parts }) => ({ parts: [...parts] }),
  outputs: (name, { parts }) => parts.map((part) => `${name}_${part}`),
  apply: (column, { parts: wanted }) =>
    wanted.map((part) => {
      const compute = parts[part as DatePart];
      return numberColumn(
        Float64Array.from(column.data, (time) => (Number.isNaN(time) ? Number.NaN : compute(new Date(time)))),
      );
    }),
  problem: ({ parts: wanted }) =>
    wanted.length > 0 && wanted.every((part) => Object.hasOwn(parts, part))
      ? undefined
      : "has a part that dates lack",
};

/**
 * Numbers from a date, each in a column `name_part`: year, month, weekday and the month's and weekday's place in their circle,
 * unless other parts are named. Missing dates give missing numbers.
 *
 * @example
 * const t = table({ sold: [new Date("2024-02-29")] });
 * pipeline(dateParts({ parts: ["year", "weekday"] })).fit(t).transform(t).row(0); // { sold_year: 2024, sold_weekday: 3 }
 */
export function dateParts(options?: { readonly parts?: readonly DatePart[] }): ColumnStep {
  const usual: readonly DatePart[] = [
    "year",
    "month",
    "weekday",
    "monthSin",
    "monthCos",
    "weekdaySin",
    "weekdayCos",
  ];
  for (const part of options?.parts ?? []) checkChoice("dateParts", "parts", part, partNames);
  return columnStep(datePartsOperation, options, { parts: usual });
}
