/** The tuned thresholds as lines for the user. */
import type { Decision, Rate } from "./choose_thresholds";
import type { FoundLesions } from "./found_lesions";

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

/** What lies where no lesion may. */
export function leftOutText({
  components,
  volumeMm3,
}: NonNullable<FoundLesions["outside"]>): string {
  if (components === 0) return "left out: nothing";
  const them = components === 1 ? "1 component" : `${components} components`;
  return (
    `left out: ${them}, ${volumeMm3.toFixed(1)} mm³, not well inside the brain of both visits or no ` +
    "brighter at the second (--brain off keeps them)"
  );
}
