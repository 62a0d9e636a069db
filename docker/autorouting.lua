-- Orthanc sends the MR series of each stable study of the neck to the node, in one association. What the node sends back is no MR.
function OnStableStudy(studyId, tags, metadata)
  local wanted = {}
  for _, series in pairs(ParseJson(RestApiGet('/studies/' .. studyId .. '/series'))) do
    local found = series['MainDicomTags']
    local text = string.lower((tags['StudyDescription'] or '') .. ' ' .. (found['BodyPartExamined'] or ''))
    if found['Modality'] == 'MR' and (string.find(text, 'spine') or string.find(text, 'neck') or string.find(text, 'cerv')) then
      table.insert(wanted, series['ID'])
    end
  end
  if #wanted > 0 then
    RestApiPost('/modalities/CSPINE/store', DumpJson({Resources = wanted, Synchronous = false}, false))
  end
end
