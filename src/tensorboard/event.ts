/** The messages of a TensorBoard event file, after tensorflow/core/util/event.proto and framework/summary.proto. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** The file's bytes. */
  readonly png: Uint8Array;
}

/** What an event holds beside its time and step. */
export type EventContent =
  /** The first event of a file says so. */
  | { readonly kind: "version" }
  /** A training begins, or goes on, with this step: TensorBoard drops what it knows of it and later ones. */
  | { readonly kind: "start" }
  | { readonly kind: "scalars"; readonly values: ReadonlyMap<string, number> }
  | { readonly kind: "pictures"; readonly values: ReadonlyMap<string, Picture> };

const VERSION = "brain.Event:2";
/** Fields of Event. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
/** Fields of Summary and Summary.Value. */
const VALUE = 1;
const OF_VALUE = { tag: 1, simpleValue: 2, image: 4 } as const;
const IMAGE = { height: 1, width: 2, colorspace: 3, encoded: 4 } as const;
const RGBA = 4;
/** SessionLog: its status START. */
const [STATUS, START] = [1, 1] as const;

/** Wire types of protobuf. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** @param wallTime seconds since 1970 */
export function encodeEvent(wallTime: number, step: number, content: EventContent): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(EVENT.wallTime, WIRE.fixed64).double(wallTime);
  writer.tag(EVENT.step, WIRE.varint).int64(step);
  switch (content.kind) {
    case "version":
      writer.tag(EVENT.fileVersion, WIRE.bytes).string(VERSION);
      break;
    case "start":
      writer.tag(EVENT.sessionLog, WIRE.bytes).fork();
      writer.tag(STATUS, WIRE.varint).int32(START).join();
      break;
    case "scalars":
      writeSummary(writer, content.values, (value) =>
        writer.tag(OF_VALUE.simpleValue, WIRE.fixed32).float(value),
      );
      break;
    case "pictures":
      writeSummary(writer, content.values, (picture) => writeImage(writer, picture));
      break;
    default:
      content satisfies never;
  }
  return writer.finish();
}

function writeSummary<T>(
  writer: BinaryWriter,
  values: ReadonlyMap<string, T>,
  write: (value: T) => void,
): void {
  writer.tag(EVENT.summary, WIRE.bytes).fork();
  for (const [tag, value] of values) {
    writer.tag(VALUE, WIRE.bytes).fork();
    writer.tag(OF_VALUE.tag, WIRE.bytes).string(tag);
    write(value);
    writer.join();
  }
  writer.join();
}

function writeImage(writer: BinaryWriter, { width, height, png }: Picture): void {
  writer.tag(OF_VALUE.image, WIRE.bytes).fork();
  writer.tag(IMAGE.height, WIRE.varint).int32(height);
  writer.tag(IMAGE.width, WIRE.varint).int32(width);
  writer.tag(IMAGE.colorspace, WIRE.varint).int32(RGBA);
  writer.tag(IMAGE.encoded, WIRE.bytes).bytes(png).join();
}
