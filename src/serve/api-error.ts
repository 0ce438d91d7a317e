/** What goes wrong with a request, as OpenAI's clients read it. */
import { ArgumentError } from "../base/errors.ts";

/** Answered with a status and `{ error: { message, type, param, code } }`. */
export class ApiError extends ArgumentError {
  override name = "ApiError";
  readonly status: number;
  /** The field that is wrong. */
  readonly param: string | null;
  readonly code: string | null;

  constructor(
    status: number,
    message: string,
    { param = null, code = null }: { param?: string | null; code?: string | null } = {},
  ) {
    super(message);
    this.status = status;
    this.param = param;
    this.code = code;
  }

  /** The body of the answer. */
  get body(): object {
    const { message, status, param, code } = this;
    return {
      error: {
        message,
        type: types[status] ?? (status >= 500 ? "server_error" : "invalid_request_error"),
        param,
        code,
      },
    };
  }
}

const types: Readonly<Record<number, string>> = {
  401: "authentication_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

/** A wrong value of a field. */
export const wrongField = (param: string, wanted: string, got: unknown): ApiError =>
  new ApiError(400, `"${param}" must be ${wanted}, got ${shown(got)}`, { param, code: "invalid_value" });

/** Errors of what was asked for are the client's, all others the server's: their texts stay here. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ArgumentError) return new ApiError(400, error.message);
  return new ApiError(500, "the server failed on this request");
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
