/** The side-car of a converted image: BIDS' names, times in seconds. */
import { z } from "zod";

const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);

const SIDECAR = z.object({
  SeriesNumber: number,
  SeriesDescription: text,
  ProtocolName: text,
  SequenceName: text,
  PatientID: text,
  StudyInstanceUID: text,
  ImageType: z.array(z.string()).optional().catch(undefined),
  MRAcquisitionType: text,
  /** Seconds. */
  RepetitionTime: number,
  EchoTime: number,
  InversionTime: number,
  Manufacturer: text,
  ManufacturersModelName: text,
  /** Tesla. */
  MagneticFieldStrength: number,
  /** mm. */
  SliceThickness: number,
  AcquisitionDateTime: text,
});

export type Sidecar = z.infer<typeof SIDECAR>;

/** What a side-car says; nothing where it is damaged: that of another series is no reason to fail. */
export function parseSidecar(json: string): Sidecar {
  try {
    return SIDECAR.parse(JSON.parse(json));
  } catch {
    return {};
  }
}
