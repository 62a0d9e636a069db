"""Reasons in Chinese, one sentence for each code that a finding of an analysis may carry.

A Chinese radiologist must review them before clinical use.
"""

from node.domain.errors import Reason

REASONS_ZH: dict[Reason, str] = {
    # selection
    Reason.NO_USABLE_SERIES: "无可用序列",
    Reason.NO_SAGITTAL_T2: "无可用的矢状位 T2 序列",
    Reason.NO_AXIAL_T2: "无可用的轴位 T2 序列",
    Reason.WRONG_MODALITY: "非磁共振图像",
    Reason.OWN_RESULT: "本软件自身的结果",
    Reason.NOT_ORIGINAL: "非原始图像",
    Reason.SECONDARY_CAPTURE: "二次采集图像",
    Reason.LOCALIZER: "定位像",
    Reason.WRONG_CONTRAST: "对比度不符",
    Reason.FAT_SUPPRESSED: "脂肪抑制序列",
    Reason.DIFFUSION: "弥散序列",
    Reason.POST_CONTRAST: "增强后序列",
    Reason.WRONG_BODY_PART: "检查部位不符",
    Reason.WRONG_PLANE: "扫描平面不符",
    Reason.NO_GEOMETRY: "缺少空间位置信息",
    Reason.NO_PIXELS: "无像素数据",
    Reason.TOO_FEW_SLICES: "层数过少",
    Reason.TOO_MANY_SLICES: "层数过多",
    Reason.SLICE_MISSING: "缺少层面",
    Reason.SLICE_DUPLICATED: "层面重复",
    Reason.SPACING_UNEQUAL: "层间距不等",
    Reason.SPACING_TOO_COARSE: "像素间距过大",
    Reason.SIZE_MIXED: "图像大小不一致",
    Reason.ORIENTATION_MIXED: "图像方向不一致",
    Reason.FRAME_OF_REFERENCE_MIXED: "坐标系不一致",
    Reason.PATIENT_MIXED: "图像属于不同患者",
    Reason.CHARACTER_SET_UNSUPPORTED: "字符集不支持",
    Reason.PREFERRED_OTHER_SERIES: "已选用其他序列",
    Reason.EXCLUDED_BY_CONFIG: "按配置排除",
    # loading
    Reason.NOT_DICOM: "非 DICOM 文件",
    Reason.FILE_TRUNCATED: "文件不完整",
    Reason.PIXELS_UNDECODABLE: "像素数据无法解码",
    Reason.PIXELS_CONSTANT: "图像无内容",
    # measurement
    Reason.CORD_NOT_FOUND: "未找到脊髓",
    Reason.CANAL_NOT_FOUND: "未找到椎管",
    Reason.LEVEL_MISSING: "节段未能定位或未能完整测量",
    Reason.KEYPOINT_CONFIDENCE_LOW: "椎体角点置信度低",
    Reason.CORNERS_OUT_OF_ORDER: "椎体角点顺序不符合解剖",
    Reason.VERTEBRA_SIZE_IMPLAUSIBLE: "椎体大小不合理",
    Reason.CORD_OUTSIDE_CANAL: "脊髓轮廓超出椎管",
    Reason.CORD_FILLS_CANAL: "脊髓充满椎管，边界不确定",
    Reason.CORD_LEAVES_SLICE: "脊髓可能偏离该层面",
    Reason.CORD_MULTIPLE_COMPONENTS: "脊髓分割结果不连续",
    Reason.CANAL_MULTIPLE_COMPONENTS: "椎管分割结果不连续",
    Reason.MASK_TOUCHES_BORDER: "轮廓到达图像边缘",
    Reason.MASK_CONFIDENCE_LOW: "分割置信度低",
    Reason.SLICES_GAP: "轴位层面未覆盖或距离较远",
    Reason.PLANES_DISAGREE: "矢状位与轴位测量不一致",
    Reason.VALUE_IMPOSSIBLE: "数值超出生理极限",
    Reason.VALUE_OUTSIDE_HEALTHY_RANGE: "数值超出健康范围",
    Reason.REFERENCE_MISSING: "缺少参考节段",
    Reason.NO_AXIAL_AT_LEVEL: "受压最重节段无轴位层面",
    Reason.FRAME_OF_REFERENCE_DIFFERS: "矢状位与轴位坐标系不同",
    Reason.AXIAL_OBLIQUE: "轴位层面与脊髓不垂直",
    Reason.CORD_ROTATED: "脊髓长轴偏斜",
    Reason.PRIOR_NOT_COMPARABLE: "既往结果由其他模型测得，变化未必可比",
    Reason.PRIOR_NOT_LOOKED_UP: "PACS 未能给出既往结果",
}


def chinese_reason(code: Reason) -> str:
    """Return the sentence of a code, empty where there is none."""
    return REASONS_ZH.get(code, "")
