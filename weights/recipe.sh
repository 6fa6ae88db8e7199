# The steps that made flair-new-lesions 0.4 and flair-synthetic 0.4, on two processor cores (llvmpipe, Mesa 25.0.7), in an
# hour. DATA is a folder with the scans that MODEL_CARD.md names. Stage 1 ran at commit d4a97c7, stages 2 and 3 at 9c303ea:
# other commits may draw other pairs from the same seeds. Their tensors were version 0.2; 0.3 and 0.4 are other calibrations.

# CS: the cross-sectional patients 07, 19, 26 under the names cs07, cs19, cs26 (cs19 is another person than patient 19).
# REAL: the longitudinal patients 01, 03, 19.
bun run phantom PH --patients 3 --seed 4 --field-of-view 150,184,140
# DATA1: the patients of PH, and those of REAL, which validate: no scan of theirs trains.
STAGE="--preset best-small --augment all --register off --tune off --volume-precision f16"

# Stage 1: 4,000 iterations.
bun run train --data DATA1 --val patient01,patient03,patient19 --generate DATA/singles,CS,PH --generated-share 0.95 \
  --generated-pool 12 --generated-refresh 40 $STAGE --iterations 4000 --validate-every 0.25 --seed 2 --out run1

# Stage 2: 3,500 iterations. Its last weights are flair-synthetic.
bun run train --data DATA1 --val patient01,patient03,patient19 --generate DATA/singles,CS,PH --generated-share 0.97 \
  --generated-pool 16 --generated-refresh 30 $STAGE --positive 0.25 --learning-rate 0.002 --from run1/last.safetensors \
  --iterations 3500 --validate-every 0.25 --seed 3 --out run2

# Stage 3: 700 iterations. ALL: the patients of REAL, and a pair of a phantom that validates (it chooses nothing: the last
# weights are taken). For the results by patient: --data REAL and --val one of them.
bun run synthesise PH SYN --pairs 3 --seed 3 # its second pair
bun run train --data ALL --val val_synthetic --generate DATA/singles,CS,DATA/ljubljana_raw/raw --generated-share 0.3 \
  --generated-pool 10 --generated-refresh 60 $STAGE --time-reversal --learning-rate 0.0015 --from run2/last.safetensors \
  --iterations 700 --validate-every 0.5 --seed 1 --out final

# Maps of the left-out patients, in both directions of time, by the mean of their own stage 3 (seed 2, from flair-synthetic)
# and of stage 2, and where lesions may lie:
# bun run predict -t1 A -t2 B --register off --weights fold01/last.safetensors,run2/last.safetensors --probability … --allowed …
# MAPS, ALLOWED and REFS: six maps and masks, patient01, patient01swapped, … NOCHANGE: pairs without change of each left-out
# patient's scans by the same weights (the eleven that MODEL_CARD.md names):
# bun bench/left_out.ts SCANS01 --weights fold01/last.safetensors,run2/last.safetensors --pairs 0 --unchanged 7 --seed 21 \
#   --masks DATA/lesion_masks_mni --keep NOCHANGE
for weights in final/last.safetensors run2/last.safetensors; do
  bun run weights calibrate $weights --maps MAPS --references REFS --allowed ALLOWED --unchanged NOCHANGE
done
bun run weights export run2/last.safetensors --name flair-synthetic --release 0.4 --licence "CC BY 4.0" \
  --trained-on "pairs generated of 6 single scans and of phantoms; no real change" --recipe recipe.sh
bun run weights export final/last.safetensors --name flair-new-lesions --release 0.4 --licence "CC BY 4.0" \
  --trained-on "3 real pairs in both directions, and pairs generated of 12 scans" --with flair-synthetic --recipe recipe.sh
