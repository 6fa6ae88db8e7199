/** Kinds of numbers that settings are. */
import { z } from "zod";

export const positive = z.number().positive();
export const whole = z.number().int().positive();
export const share = z.number().min(0).max(1);
