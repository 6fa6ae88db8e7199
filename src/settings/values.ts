/** Number types of settings, with their bounds. */
import { z } from "zod";

export const positive = z.number().positive();
export const whole = z.number().int().positive();
export const share = z.number().min(0).max(1);
