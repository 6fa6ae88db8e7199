/** The tuned thresholds as lines for the user. */
import type { Decision, Rate } from "./choose_thresholds";

/** `13 of 14`. */
export const rateText = ({ right, of }: Rate) => `${right} of ${of}`;

export function decisionText({ lesions, patient }: Decision): string[] {
  const lines: string[] = [];
  if (lesions) {
    const { threshold, minLesionVolume, f1, dice, falseLesions } = lesions;
    const stable =
      falseLesions === undefined ? "" : `, ${falseLesions.toFixed(1)} lesions in those without`;
    lines.push(
      `thresholds: lesion from ${threshold} on, above ${minLesionVolume} mm³; on the validation ` +
        `patients lesion F1 ${f1.toFixed(3)}, Dice ${dice.toFixed(3)}${stable}`,
    );
  } else lines.push("thresholds: not tuned, no threshold finds a lesion: 0.5 and 3 mm³ stay");
  if (patient) {
    const { threshold, mass, sensitivity, specificity } = patient;
    lines.push(
      `any new lesion: yes where a component from ${threshold} on holds ${mass} mm³ of probability; ` +
        `right for ${rateText(sensitivity)} patients with new lesions, ${rateText(specificity)} without`,
    );
  } else lines.push("any new lesion: by whether the mask holds one; the patients decide no rule");
  return lines;
}
