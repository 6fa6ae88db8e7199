/** The page's policy forbids scripts made of text: zod must not try whether it may make any. Imported first. */
import { config } from "zod";

config({ jitless: true });
