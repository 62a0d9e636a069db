// Print, as JSON, what Cornerstone's adapters and dcmjs read in each SEG and SR.
// Usage, in a folder with node_modules: node read_results.mjs FILE... ; the files are SEG, SR and all images that these refer to.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

// what browsers have, and Node from 20 on
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail, ...rest } = {}) {
    super(type, rest);
    this.detail = detail;
  }
};
const here = createRequire(join(process.cwd(), 'package.json'));
const load = path => import(pathToFileURL(path));
const { adaptersSEG, adaptersSR, helpers } = await load(here.resolve('@cornerstonejs/adapters'));
const { metaData } = await load(here.resolve('@cornerstonejs/core'));
// the module that the adapters import, not its twin for require()
const { default: dcmjs } = await load(join(dirname(here.resolve('dcmjs')), 'dcmjs.es.js'));

const bytesOf = path => Uint8Array.from(readFileSync(path)).buffer;
const datasetOf = path =>
  dcmjs.data.DicomMetaDictionary.naturalizeDataset(dcmjs.data.DicomMessage.readFile(bytesOf(path)).dict);

/** What a viewer tells Cornerstone of an image, by the name of the module. */
function modulesOf(image) {
  const orientation = image.ImageOrientationPatient;
  const [rowPixelSpacing, columnPixelSpacing] = image.PixelSpacing;
  return {
    instance: image,
    generalImageModule: { sopInstanceUID: image.SOPInstanceUID },
    generalSeriesModule: { seriesInstanceUID: image.SeriesInstanceUID, modality: image.Modality },
    imagePixelModule: { rows: image.Rows, columns: image.Columns },
    imagePlaneModule: {
      frameOfReferenceUID: image.FrameOfReferenceUID,
      rows: image.Rows,
      columns: image.Columns,
      rowPixelSpacing,
      columnPixelSpacing,
      pixelSpacing: image.PixelSpacing,
      imageOrientationPatient: orientation,
      rowCosines: orientation.slice(0, 3),
      columnCosines: orientation.slice(3),
      imagePositionPatient: image.ImagePositionPatient,
    },
  };
}

/** The labels of the segments in their order, and the indices of the pixels that each marks on each image, row by row. */
async function readSegmentation({ path, dataset }, images) {
  const series = dataset.ReferencedSeriesSequence[0].SeriesInstanceUID;
  const ids = images.filter(one => one.SeriesInstanceUID === series).map(one => one.SOPInstanceUID);
  const { createFromDICOMSegBuffer } = adaptersSEG.Cornerstone3D.Segmentation;
  const { segMetadata, labelMapImages } = await createFromDICOMSegBuffer(ids, bytesOf(path), { metadataProvider: metaData });
  return {
    labels: segMetadata.data.filter(Boolean).map(one => one.SegmentLabel),
    marked: labelMapImages.flat().flatMap(pixelsOf),
  };
}

function pixelsOf(labelmap) {
  const bySegment = new Map();
  labelmap.voxelManager.getScalarData().forEach((segment, pixel) => {
    if (segment) bySegment.set(segment, [...(bySegment.get(segment) ?? []), pixel]);
  });
  return [...bySegment].map(([segment, pixels]) => ({ image: labelmap.referencedImageId, segment, pixels }));
}

/** The groups of a report as a viewer lists and draws them, points in LPS mm; and the UIDs of those that a tool would edit. */
function readReport({ dataset }, images) {
  const ids = Object.fromEntries(images.map(one => [`${one.SOPInstanceUID}:1`, one.SOPInstanceUID]));
  const editable = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(dataset, ids, metaData);
  const measurements = helpers.toArray(dataset.ContentSequence).find(helpers.codeMeaningEquals('Imaging Measurements'));
  const groups = helpers.toArray(measurements.ContentSequence).filter(helpers.codeMeaningEquals('Measurement Group'));
  return {
    editable: Object.values(editable).flat().map(one => one.TrackingUniqueIdentifier),
    groups: groups.map(readGroup),
  };
}

function readGroup({ ContentSequence }) {
  const items = helpers.toArray(ContentSequence);
  // of the whole group (TID 1410), else of its first number (TID 1501)
  const region = items.find(one => one.ValueType === 'SCOORD') ?? items.find(one => one.ValueType === 'NUM').ContentSequence;
  const image = region.ContentSequence.ReferencedSOPSequence.ReferencedSOPInstanceUID;
  return {
    name: items.find(helpers.codeMeaningEquals('Tracking Identifier')).TextValue,
    uid: items.find(helpers.codeMeaningEquals('Tracking Unique Identifier')).UID,
    image,
    points: helpers.scoordToWorld({ is3DMeasurement: false, referencedImageId: image }, region),
    numbers: items.filter(one => one.ValueType === 'NUM').map(readNumber),
  };
}

const readNumber = ({ ConceptNameCodeSequence, MeasuredValueSequence: { NumericValue, MeasurementUnitsCodeSequence } }) =>
  [ConceptNameCodeSequence.CodeMeaning, Number(NumericValue), MeasurementUnitsCodeSequence.CodeValue];

const files = process.argv.slice(2).map(path => ({ path, dataset: datasetOf(path) }));
const ofModality = modality => files.filter(({ dataset }) => dataset.Modality === modality);
const images = ofModality('MR').map(({ dataset }) => dataset);
const modules = new Map(images.map(one => [one.SOPInstanceUID, modulesOf(one)]));
metaData.addProvider((module, id) => modules.get(id)?.[module]);
const segmentations = await Promise.all(ofModality('SEG').map(one => readSegmentation(one, images)));
const reports = ofModality('SR').map(one => readReport(one, images));
process.stdout.write(JSON.stringify({ segmentations, reports }));
