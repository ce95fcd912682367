/**
 * The Director's word against that of the Image repository (Uptane Standard 2, full verification):
 * the Director alone can choose among images that their owner signed offline, and nothing else.
 *
 * @module
 */
import { UpdateFailure } from "../failure.ts";
import { parseAs } from "../parse.ts";
import { DirectorCustom, DirectorScope, ImageCustom } from "../protocol/signed_targets.ts";
import { refusal } from "./document.ts";
import type { SignedTarget } from "./files.ts";
import type { TargetsRole } from "./roles.ts";

/** What the vehicle knows of one of its ECUs. */
export interface KnownEcu {
  readonly hardware: string;
  /** The highest counter that was confirmed on it, 0 if none was. */
  readonly counterFloor: number;
  /** The counter of what runs, `null` if nothing does. */
  readonly runningCounter: number | null;
}

/** The vehicle that metadata is checked for. */
export interface KnownVehicle {
  readonly vin: string;
  /** By serial. */
  readonly ecus: ReadonlyMap<string, KnownEcu>;
}

/** An image that both repositories want on these ECUs. */
export interface ProvedImage {
  readonly path: string;
  readonly serials: readonly string[];
  readonly length: number;
  readonly sha256: string;
  readonly image: ImageCustom;
  readonly director: DirectorCustom;
}

/** What a check may ask for beside the metadata. */
export interface CrossCheckOptions {
  /** What the Image repository signs of a path. */
  readonly find: (path: string) => Promise<SignedTarget | undefined>;
  /**
   * Whether the emergency role has signed this way back. Without it none is allowed, whatever the
   * Director says: a stolen Director is no reason to install what was withdrawn.
   */
  readonly mayDowngrade?: (image: ProvedImage, serial: string) => boolean;
}

/**
 * Checks whose targets the Director's are, and that they are his own.
 *
 * @param targets The Director's targets.
 * @param vin This vehicle.
 * @throws {UpdateFailure} `metadataForeign` if they are another vehicle's, `metadataInvalid` if
 * they do not say whose, or delegate.
 */
export function checkScope(targets: TargetsRole, vin: string): void {
  const { signed } = targets.document;
  // Uptane, How to check Targets metadata, 6.
  if (signed.delegations !== undefined) throw refusal("targets", "the Director delegates");
  const options = { what: "scope of the Director's targets", failure: "metadataInvalid" } as const;
  const scope = parseAs(DirectorScope, signed.custom, options);
  if (scope.vin !== vin) {
    throw new UpdateFailure(
      "metadataForeign",
      scope.vin,
      `Cannot use targets: they are for ${scope.vin}, this is ${vin}`,
    );
  }
}

/**
 * Proves every target of the Director.
 *
 * @param targets The Director's targets.
 * @param vehicle This vehicle.
 * @param options The Image repository, and who may allow a way back.
 * @returns The images, in the Director's order; none if there is nothing to do.
 * @throws {UpdateFailure} `metadataForeign`, `ecuUnknown`, `hardwareDiffers`, `targetUnproved`,
 * `targetDiffers`, `releaseDowngrade` or `metadataInvalid`.
 */
export async function crossCheck(
  targets: TargetsRole,
  vehicle: KnownVehicle,
  options: CrossCheckOptions,
): Promise<ProvedImage[]> {
  checkScope(targets, vehicle.vin);
  const wanted = targets.paths.map((path) => {
    const target = targets.target(path)!;
    return { target, director: customOf(DirectorCustom, target, "Director") };
  });
  // First whether the Director's word makes sense by itself.
  const seen = new Set<string>();
  for (const { director } of wanted) {
    for (const [serial, { hardware }] of Object.entries(director.ecus)) {
      checkEcu(serial, hardware, { vehicle, seen });
    }
  }
  const orders = new Set(wanted.map(({ director }) => director.order));
  if (orders.size !== wanted.length) throw refusal("targets", "two targets have the same order");
  const campaigns = new Set(wanted.map(({ director }) => director.campaign));
  if (campaigns.size > 1) throw refusal("targets", `they are of ${campaigns.size} campaigns`);
  const proved: ProvedImage[] = [];
  for (const { target, director } of wanted) {
    const image = proveImage(target, director, await options.find(target.path));
    for (const serial of image.serials) checkCounters(image, serial, { vehicle, options });
    proved.push(image);
  }
  return proved.toSorted((a, b) => a.director.order - b.director.order);
}

/** Uptane, How to check Targets metadata, 7 and 8. */
function checkEcu(
  serial: string,
  hardware: string,
  { vehicle, seen }: { readonly vehicle: KnownVehicle; readonly seen: Set<string> },
): void {
  const what = `Cannot use targets for ECU "${serial}"`;
  if (seen.has(serial)) {
    throw new UpdateFailure("metadataInvalid", serial, `${what}: two targets name it`);
  }
  seen.add(serial);
  const ecu = vehicle.ecus.get(serial);
  if (ecu === undefined) {
    throw new UpdateFailure("ecuUnknown", serial, `${what}: this vehicle does not have it`);
  }
  if (ecu.hardware !== hardware) {
    const message = `${what}: they are for ${hardware}, it is ${ecu.hardware}`;
    throw new UpdateFailure("hardwareDiffers", serial, message);
  }
}

/** Uptane, Full verification, 10: the same file name, length, hashes and custom metadata. */
function proveImage(
  wanted: SignedTarget,
  director: DirectorCustom,
  signed: SignedTarget | undefined,
): ProvedImage {
  const { path } = wanted;
  // Online roles of the Image repository list carriers; no image is proved by them.
  if (signed === undefined || signed.role !== "targets") {
    const by = signed === undefined ? "nobody has" : `only "${signed.role}" has`;
    throw new UpdateFailure("targetUnproved", path, `Cannot install ${path}: ${by} signed it`);
  }
  const image = customOf(ImageCustom, signed, "Image repository");
  const differs = (found: string) =>
    new UpdateFailure("targetDiffers", path, `Cannot install ${path}: ${found}`);
  if (path !== `${image.hardware}/${image.version}`) {
    throw differs(`its owner signed it as ${image.hardware}/${image.version}`);
  }
  if (signed.length !== wanted.length) {
    throw differs(`the Director says ${wanted.length} bytes, its owner ${signed.length}`);
  }
  const [sha256, claimed] = [signed.hashes.sha256, wanted.hashes.sha256];
  if (sha256 === undefined || sha256 !== claimed) {
    throw differs(`the Director says sha256 ${claimed}, its owner ${sha256}`);
  }
  for (const [algorithm, hash] of Object.entries(wanted.hashes)) {
    const other = signed.hashes[algorithm];
    if (other !== undefined && other !== hash) throw differs(`its ${algorithm} differs`);
  }
  for (const [serial, { hardware }] of Object.entries(director.ecus)) {
    if (hardware === image.hardware) continue;
    throw differs(`the Director wants it on "${serial}", a ${hardware}`);
  }
  return {
    path,
    serials: Object.keys(director.ecus),
    length: signed.length,
    sha256,
    image,
    director,
  };
}

/** Uptane, Full verification, 10.2.3; here the ECU's own past counts, not the last metadata's. */
function checkCounters(
  image: ProvedImage,
  serial: string,
  { vehicle, options }: { readonly vehicle: KnownVehicle; readonly options: CrossCheckOptions },
): void {
  const { counter, minCounter } = image.image;
  const { counterFloor, runningCounter } = vehicle.ecus.get(serial)!;
  const refuse = (found: string) =>
    new UpdateFailure(
      "releaseDowngrade",
      serial,
      `Cannot install ${image.path} on ${serial}: ${found}`,
    );
  if (runningCounter !== null && runningCounter < minCounter) {
    throw refuse(`it wants at least counter ${minCounter}, ${runningCounter} runs`);
  }
  if (counter >= counterFloor) return;
  const wanted = image.director.action === "downgrade";
  if (wanted && options.mayDowngrade?.(image, serial) === true) return;
  throw refuse(
    `its counter ${counter} is below ${counterFloor}, which was confirmed here` +
      (wanted ? ", and no emergency role has signed the way back" : ""),
  );
}

function customOf<T>(
  schema: Parameters<typeof parseAs<T>>[0],
  target: SignedTarget,
  side: string,
): T {
  const what = `custom of target "${target.path}" of the ${side}`;
  return parseAs(schema, target.custom, { what, failure: "metadataInvalid" });
}
