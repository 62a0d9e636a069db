// Say what Cornerstone's adapters and dcmjs read in a SEG and in an SR.
// Usage, where node_modules is: node read_results.mjs SEG SR IMAGE... ; prints JSON. Images are the series that the SEG refers to.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const here = createRequire(`${process.cwd()}/`);
const load = (name) => import(pathToFileURL(here.resolve(name)).href);
const { adaptersSEG, adaptersSR } = await load('@cornerstonejs/adapters');
const { default: dcmjs } = await load('dcmjs');

const bytesOf = (path) => { const file = readFileSync(path); return file.buffer.slice(file.byteOffset, file.byteOffset + file.length); };
function datasetOf(path) {
  const { dict, meta } = dcmjs.data.DicomMessage.readFile(bytesOf(path));
  const dataset = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict);
  dataset._meta = dcmjs.data.DicomMetaDictionary.namifyDataset(meta);
  return dataset;
}
const listed = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

// What a viewer tells the adapters of its images.
function metadataOf(images) {
  const modules = {
    instance: (image) => image,
    generalImageModule: (image) => ({ sopInstanceUID: image.SOPInstanceUID }),
    generalSeriesModule: (image) => ({ seriesInstanceUID: image.SeriesInstanceUID, modality: image.Modality }),
    imagePlaneModule: (image) => ({
      rows: image.Rows,
      columns: image.Columns,
      imageOrientationPatient: image.ImageOrientationPatient,
      imagePositionPatient: image.ImagePositionPatient,
      rowCosines: image.ImageOrientationPatient.slice(0, 3),
      columnCosines: image.ImageOrientationPatient.slice(3),
      pixelSpacing: image.PixelSpacing,
      rowPixelSpacing: image.PixelSpacing[0],
      columnPixelSpacing: image.PixelSpacing[1],
      frameOfReferenceUID: image.FrameOfReferenceUID,
    }),
  };
  return {
    get: (module, id) => images.has(id) && modules[module] ? modules[module](images.get(id)) : undefined,
    addInstance: (id, image) => images.set(id, image),
  };
}

async function segmentsOf(path, images) {
  const ids = [...images.keys()];
  const { labelMapImages, segMetadata } = await adaptersSEG.Cornerstone3D.Segmentation.generateToolState(ids, bytesOf(path), metadataOf(images));
  const pixels = labelMapImages.flat().flatMap((image) => {
    const bySegment = new Map();
    image.voxelManager.getScalarData().forEach((segment, index) => {
      if (segment) bySegment.set(segment, [...(bySegment.get(segment) ?? []), index]);
    });
    return [...bySegment].map(([segment, indices]) => ({ image: image.referencedImageId, segment, indices }));
  });
  return { labels: listed(segMetadata.data).filter(Boolean).map((segment) => segment.SegmentLabel), pixels };
}

const meaning = (item) => item.ConceptNameCodeSequence?.[0]?.CodeMeaning ?? item.ConceptNameCodeSequence?.CodeMeaning;
const first = (value) => listed(value)[0];

function groupsOf(path) {
  const report = datasetOf(path);
  const groups = [];
  const collect = (group) => {
    const items = listed(group.ContentSequence);
    const called = (name) => items.find((item) => meaning(item) === name);
    const region = items.find((item) => item.ValueType === 'SCOORD');
    groups.push({
      name: called('Tracking Identifier').TextValue,
      uid: called('Tracking Unique Identifier').UID,
      site: first(called('Finding Site')?.ConceptCodeSequence)?.CodeMeaning,
      numbers: items.filter((item) => item.ValueType === 'NUM').map((item) => {
        const value = first(item.MeasuredValueSequence);
        return [meaning(item), Number(value.NumericValue), first(value.MeasurementUnitsCodeSequence).CodeValue];
      }),
      points: region && listed(region.GraphicData),
      image: region && first(first(region.ContentSequence).ReferencedSOPSequence).ReferencedSOPInstanceUID,
    });
  };
  const { MeasurementReport } = adaptersSR.Cornerstone3D;
  const editable = MeasurementReport.generateToolState(report, {}, metadataOf(new Map()));
  // the adapters walk the report; what they would make a tool of is handed to us instead
  const getToolClass = () => ({ toolType: 'read', getMeasurementData: (group) => { collect(group); return {}; } });
  MeasurementReport.generateToolState(report, {}, metadataOf(new Map()), { getToolClass });
  return { editable: Object.keys(editable), groups };
}

const [seg, sr, ...paths] = process.argv.slice(2);
const images = new Map(paths.map(datasetOf).map((image) => [image.SOPInstanceUID, image]));
process.stdout.write(JSON.stringify({ ...(await segmentsOf(seg, images)), ...groupsOf(sr) }));
