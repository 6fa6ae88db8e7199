import type { Report } from "./schema";
export const htmlReport = (report: Report): string => JSON.stringify(report);
