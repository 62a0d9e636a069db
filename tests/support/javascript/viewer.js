// What the tests ask of the open viewer, in the terms of DICOM: SOP Instance UIDs, points of the patient in mm, pixels of the screen.
// `cornerstone`, `cornerstoneTools` and `services` are what OHIF leaves on the window.
window.localStorage.setItem('shownTours', '["basicViewerTour"]'); // no tour over the images
window.seen = (() => {
  const viewport = () => cornerstone.getEnabledElements()[0].viewport;
  const instanceOf = (imageId) => /instances\/([\d.]+)\//.exec(imageId)[1];
  const displaySet = (series) =>
    services.displaySetService.getActiveDisplaySets().find((one) => one.SeriesInstanceUID === series);

  return {
    series: () => /series\/([\d.]+)\//.exec(viewport().getCurrentImageId())[1],
    instance: () => instanceOf(viewport().getCurrentImageId()),

    show(instance) {
      const index = viewport().getImageIds().findIndex((imageId) => instanceOf(imageId) === instance);
      return viewport().setImageIdIndex(index);
    },

    onScreen(points) {
      const { left, top } = viewport().canvas.getBoundingClientRect();
      return points.map((point) => viewport().worldToCanvas(point)).map(([x, y]) => [left + x, top + y]);
    },

    bounds() {
      const { left, top, right, bottom } = viewport().canvas.getBoundingClientRect();
      return [left, top, right, bottom];
    },

    // For every image and segment of a SEG the marked pixels, as OHIF holds them: [instance, segment, indices].
    masks(series) {
      const { displaySetInstanceUID } = displaySet(series);
      const segmentation = services.segmentationService.getSegmentation(displaySetInstanceUID);
      const { labelmaps } = segmentation.representationData.Labelmap;
      return Object.values(labelmaps).flatMap(({ imageIds, labelToSegmentIndex }) =>
        imageIds.map((imageId) => cornerstone.cache.getImage(imageId)).flatMap((image) =>
          Object.entries(labelToSegmentIndex).map(([label, segment]) => {
            const marked = [];
            image.voxelManager.getScalarData().forEach((value, index) => value === Number(label) && marked.push(index));
            return [instanceOf(image.referencedImageId), segment, marked];
          })));
    },

    isLoaded: (series) => Boolean(services.segmentationService.getSegmentation(displaySet(series).displaySetInstanceUID)?.representationData.Labelmap),

    segments(series) {
      const { segmentationId, segments } = services.segmentationService.getSegmentation(displaySet(series).displaySetInstanceUID);
      const { color } = cornerstoneTools.segmentation.config;
      return Object.values(segments).map(({ segmentIndex, label }) =>
        [label, [...color.getSegmentIndexColor(viewport().id, segmentationId, segmentIndex)].slice(0, 3)]);
    },

    // The measurements of an SR as OHIF holds them.
    measurements(series) {
      const annotations = new Map(cornerstoneTools.annotation.state.getAllAnnotations().map((one) => [one.annotationUID, one]));
      return displaySet(series).measurements
        .filter(({ TrackingUniqueIdentifier: uid }) => annotations.has(uid))
        .map(({ TrackingUniqueIdentifier: uid, ReferencedSOPInstanceUID: instance, labels }) => ({
          uid, instance, lines: labels.map(({ label, value }) => `${label}: ${value}`),
          points: Object.values(annotations.get(uid).data.renderableData).flat(2),
        }));
    },

    // The lines of text beside each measurement that is drawn on the screen, by its Tracking UID.
    texts: () => Object.fromEntries([...document.querySelectorAll('.svg-layer g[data-annotation-uid]')].map((group) =>
      [group.dataset.annotationUid, [...group.querySelectorAll('tspan')].map((line) => line.textContent)])),

    // The first line of each of these texts, in order.
    titles: () => Object.values(seen.texts()).map(([first]) => first).sort(),

    // Where on the screen the lines of text beside each measurement stand: [left, top, right, bottom], by its Tracking UID.
    boxes: () => Object.fromEntries([...document.querySelectorAll('.svg-layer g[data-annotation-uid]')]
      .filter((group) => group.querySelector('tspan')).map((group) => {
        const lines = [...group.querySelectorAll('text')].map((line) => line.getBoundingClientRect());
        const edge = (choose, side) => choose(...lines.map((line) => line[side]));
        return [group.dataset.annotationUid,
          [edge(Math.min, 'left'), edge(Math.min, 'top'), edge(Math.max, 'right'), edge(Math.max, 'bottom')]];
      })),

    // The two ends of every stroke of the dashed lines on the screen.
    strokes() {
      const { left, top } = viewport().canvas.getBoundingClientRect();
      const coordinates = (shape) => shape.tagName === 'line'
        ? [[shape.x1, shape.y1], [shape.x2, shape.y2]].map((end) => end.map((one) => one.baseVal.value))
        : [...shape.points].map(({ x, y }) => [x, y]);
      return [...document.querySelectorAll('.svg-layer :is(line, polyline)[stroke-dasharray="4,4"]')].flatMap((shape) => {
        const points = coordinates(shape).map(([x, y]) => [left + x, top + y]);
        return points.slice(1).map((end, index) => [points[index], end]);
      });
    },
  };
})();
