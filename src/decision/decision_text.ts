/** The tuned thresholds as lines for the user. */
import type { Decision, Rate } from "./choose_thresholds";

/** `13 of 14`. */
export const rateText = ({ right, of }: Rate) => `${right} of ${of}`;

export function decisionText({ lesions, patient }: Decision): string[] {
  const lines: string[] = [];
  if (lesions) {
    const { threshold, minLesionVolume, f1, dice, falseLesions } = lesions;
    const stable =
      falseLesions === undefined
        ? ""
        : `, ${falseLesions.toFixed(1)} false lesions in those without`;
    lines.push(
      `thresholds: probability ${threshold} or more, volume above ${minLesionVolume} mm³; on the ` +
        `validation patients lesion F1 ${f1.toFixed(3)}, Dice ${dice.toFixed(3)}${stable}`,
    );
  } else lines.push("thresholds: no threshold finds a lesion; they stay at 0.5 and 3 mm³");
  if (patient) {
    const { threshold, mass, sensitivity, specificity } = patient;
    lines.push(
      `any new lesion: yes when a component of probability ${threshold} or more has a mass of ` +
        `${mass} mm³ or more (probability × volume); right for ${rateText(sensitivity)} patients ` +
        `with new lesions and ${rateText(specificity)} without`,
    );
  } else lines.push("any new lesion: yes when the mask holds one; the patients decide no rule");
  return lines;
}
