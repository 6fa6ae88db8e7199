# The steps that made flair-new-lesions 0.1, on two processor cores (llvmpipe, Mesa 25.0.7). DATA is a folder with the
# scans that MODEL_CARD.md names. Stage 1 ran at commit 79c14e9, whose synthesise was another one; stages 2 and 3 at 72a7700.
# A later `synthesise` draws other pairs from the same seeds.

# Stage 1, at 79c14e9: 600 iterations (stopped; the weights of the validation at 600).
bun run synthesise DATA/cross_sectional SYN1 --pairs 24 --masks DATA/lesion_masks_mni --seed 5
bun run phantom PH1 --patients 4 --seed 3          # the first four of twelve
bun run phantom PH2 --patients 4 --seed 4 --field-of-view 150,184,140          # the first four of six
# DATA1: the patients of PH1 and PH2 and the three real pairs, which validate
bun run train --data DATA1 --val patient01,patient03,patient19 --train-data SYN1 --preset best-small --augment all \
  --iterations 2400 --validate-every 0.25 --seed 1 --out run0

# Stage 2, at 72a7700: 1,305 iterations (stopped; the last weights).
bun run synthesise DATA/singles,DATA/cross_sectional SYN2 --pairs 80 --phantoms 6 --masks DATA/lesion_masks_mni --seed 11
bun run synthesise DATA/cross_sectional,DATA/singles,DATA/ljubljana_raw/raw SYN3 --pairs 120 --seed 1 \
  --masks DATA/lesion_masks_mni --phantoms 4          # the first 69 pairs; those of patients that validate are left out
# DATA2: two pairs of SYN2 and the three real pairs, which validate
bun run train --data DATA2 --val patient01,patient03,patient19 --train-data SYN2,SYN3 --from run0/best.safetensors \
  --preset best-small --augment all --time-reversal --register off --tune off --volume-precision f16 \
  --iterations 2400 --validate-every 0.25 --seed 1 --out run1

# Stage 3, at 72a7700: 500 iterations (the last weights). SYN4: ten pairs of SYN2. DATA3: the three real pairs, and a
# synthetic one that validates. For the results by patient: --data the three real pairs, --val one of them.
bun run train --data DATA3 --val val_cs07 --train-data SYN4 --from run1/last.safetensors --preset best-small \
  --augment all --time-reversal --register off --tune off --volume-precision f16 --iterations 500 \
  --learning-rate 0.0015 --validate-every 0.5 --seed 1 --out run2
bun run weights export run2/last.safetensors --name flair-new-lesions --release 0.1 --licence "CC BY 4.0" --recipe recipe.sh
