/** Scans among files that were dropped or chosen: a NIfTI file is one, and so are the DICOM files of a folder. */

/** One scan's files. */
export interface Dropped {
  readonly name: string;
  readonly files: readonly File[];
  readonly isDicom: boolean;
}

/** dcm2niix goes as deep. */
const DEEPEST = 9;
/** DICOM begins with a preamble of so many bytes, and "DICM" (PS3.10, 7.1). */
const PREAMBLE = 128;

/** In the event itself: the browser forgets it afterwards. */
export function droppedBy({ dataTransfer }: DragEvent): Promise<Dropped[]> {
  const items = [...(dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const folders = dropped.flatMap(({ entry }) =>
    entry?.isDirectory ? [entry as FileSystemDirectoryEntry] : [],
  );
  const loose = dropped.flatMap(({ entry, file }) => (entry?.isDirectory || !file ? [] : [file]));
  return Promise.all([chosen(loose), ...folders.map(inFolder)]).then((all) => all.flat());
}

/** Loose files: all DICOM among them is one examination. */
export async function chosen(files: readonly File[]): Promise<Dropped[]> {
  const dicom: File[] = [];
  const others: Dropped[] = [];
  for (const file of files) {
    if (await isDicom(file)) dicom.push(file);
    else others.push({ name: file.name, files: [file], isDicom: false });
  }
  const [first] = dicom;
  if (!first) return others;
  const name = dicom.length === 1 ? first.name : `${first.name} and ${dicom.length - 1} more`;
  return [...others, { name, files: dicom, isDicom: true }];
}

async function inFolder(folder: FileSystemDirectoryEntry): Promise<Dropped[]> {
  const files = await filesIn(folder, DEEPEST);
  const isNifti = ({ name }: File) => /\.nii(\.gz)?$/i.test(name);
  if (files.length > 0 && files.every(isNifti)) return chosen(files);
  return [{ name: folder.name, files, isDicom: true }];
}

async function filesIn(folder: FileSystemDirectoryEntry, deep: number): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    // Some at a time, until none is left.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return files;
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      if (!entry.isDirectory) files.push(await fileOf(entry as FileSystemFileEntry));
      else if (deep > 0)
        files.push(...(await filesIn(entry as FileSystemDirectoryEntry, deep - 1)));
    }
  }
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

async function isDicom(file: File): Promise<boolean> {
  if (/\.(dcm|ima)$/i.test(file.name)) return true;
  return (await file.slice(PREAMBLE, PREAMBLE + 4).text()) === "DICM";
}
