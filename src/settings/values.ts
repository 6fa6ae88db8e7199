/** Number types of settings, with their bounds. */
import { z } from "zod";

/** What a kernel can hold with room for its sums; as seconds, thirty years. */
const MOST = 1e9;

export const positive = z.number().positive().max(MOST);
export const weight = z.number().min(0).max(MOST);
export const whole = z.number().int().positive();
export const share = z.number().min(0).max(1);
