/**
 * How a command ends: the exit codes of the command line, and the error that carries one.
 *
 * @module
 */
import { failureKind, type FailureName, FAILURES, UpdateFailure } from "shared/failure.ts";
import type { Problem } from "shared/protocol/api.ts";

/** The exit codes of every command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  precondition: 5,
  rolledBack: 6,
} as const;
/** One of the exit codes. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** What an error says beside its message: number and name of the catalogue, and what to do. */
export interface ErrorFacts {
  readonly code: number;
  readonly name: string;
  readonly remedy: string;
}

/** A command that ended without success. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  /**
   * @param exit The exit code.
   * @param facts Number, name and remedy.
   * @param message What was attempted, then a colon, then the state found.
   * @param options The lower error, if there was one, as `cause`.
   */
  constructor(
    readonly exit: ExitCode,
    readonly facts: ErrorFacts,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * An error of the catalogue with its own exit code and, if need be, a nearer remedy.
 *
 * @param exit The exit code.
 * @param failure The row of the catalogue.
 * @param message What was attempted, then a colon, then the state found.
 * @param options A remedy that fits better than the catalogue's, and the lower error.
 * @returns The error, to be thrown.
 */
export function commandError(
  exit: ExitCode,
  failure: FailureName,
  message: string,
  options: { readonly remedy?: string; readonly cause?: unknown } = {},
): CommandError {
  const { code, remedy } = failureKind(failure);
  return new CommandError(
    exit,
    { code, name: failure, remedy: options.remedy ?? remedy },
    message,
    options.cause === undefined ? {} : { cause: options.cause },
  );
}

/**
 * Wrong usage: an argument that cannot be meant.
 *
 * @param message What was attempted, then a colon, then what was found.
 * @param remedy What to type instead.
 * @returns The error, to be thrown.
 */
export function usageError(message: string, remedy: string): CommandError {
  return commandError(EXIT.usage, "badRequest", message, { remedy });
}

/** Server answers that mean "not now", not "no". */
const NOT_NOW: readonly string[] = ["internal", "storeFull"] satisfies FailureName[];

/**
 * The server's refusal as an error.
 *
 * @param problem What the server answered.
 * @returns Refused for a client's fault (4xx); precondition or failed for the server's own (5xx).
 */
export function problemError(problem: Problem): CommandError {
  const facts = { code: problem.code, name: problem.name, remedy: problem.remedy };
  return new CommandError(exitOfProblem(problem), facts, problem.detail || problem.title);
}

function exitOfProblem({ status, name }: Problem): ExitCode {
  if (name === "preconditionFailed") return EXIT.precondition;
  if (status >= 500 || NOT_NOW.includes(name)) return EXIT.failed;
  return EXIT.refused;
}

/**
 * The exit code of a failure that arose on this side.
 *
 * @param failure Its catalogue name.
 * @returns Unreachable for a broken line, precondition, failed for faults of storage and of
 * the program, refused for all else: the input was rejected.
 */
export function exitOfFailure(failure: FailureName): ExitCode {
  switch (failure) {
    case "serverUnreachable":
    case "downloadInterrupted":
      return EXIT.unreachable;
    case "preconditionUnmet":
    case "preconditionFailed":
    case "releaseUnsigned":
    case "rootMissing":
    case "keysExposed":
      return EXIT.precondition;
    case "internal":
    case "storageFailed":
    case "storageFull":
    case "storeFull":
    case "storeFailed":
      return EXIT.failed;
    default:
      return EXIT.refused;
  }
}

/**
 * Anything thrown, as an error with an exit code. A fault of the program keeps its cause.
 *
 * @param error What was thrown.
 * @returns The error to print.
 */
export function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof UpdateFailure) {
    return new CommandError(
      exitOfFailure(error.failure),
      { code: error.code, name: error.failure, remedy: error.kind.remedy },
      error.message,
      { cause: error.cause },
    );
  }
  const { code, remedy } = FAILURES.internal;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new CommandError(EXIT.failed, { code, name: "internal", remedy }, message, {
    cause: error instanceof Error ? error.cause : undefined,
  });
}

/**
 * The chain of lower errors, printed once at the edge.
 *
 * @param error The error.
 * @returns One text an error, nearest first, without the error itself and without repetition.
 */
export function causesOf(error: Error): string[] {
  const causes: string[] = [];
  let cause: unknown = error.cause;
  while (cause !== undefined && cause !== null && causes.length < 5) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (text !== "" && text !== error.message && !causes.includes(text)) causes.push(text);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}
