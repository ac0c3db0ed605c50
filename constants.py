"""What several modules share and the defaults that flags show, each with its unit. No logic; nothing is imported."""

# --- runs -------------------------------------------------------------------------------------------------------------
VERSION = "1.0"  # of this project; CHANGELOG.md
BATCH_SIZE = 8  # images per forward pass: on CPUs larger ones cost page faults and caches (docs/speed.md)
AUTO = "auto"  # in place of a value: it is found
SEED = 0
OUTPUT_FOLDER = "results"
TOP_CLASSES = 5  # classes listed beside a prediction
IMAGES_AT_ONCE = 8  # images read, explained and measured together: what a run killed half-way does again
LARGE_RUN = 10_000  # images; of more, records are columns, maps stand in groups, samples are made as needed
PRECISIONS = ("float32", "bfloat16")  # arithmetic of the forward passes
ENGINES = ("tensorflow", "openvino", "onnxruntime", "auto")  # what runs the forward passes for probabilities

# --- classifiers ------------------------------------------------------------------------------------------------------
# name -> (module and function of keras.applications, preprocessing, input side in pixels, last convolutional layer,
#          first layer of its last block, from which fine-tuning starts); 'ResNet' is the lab's name of ResNet50.
# A last layer of None has a name that Keras counts up anew with every network built: it is found by its place.
# Preprocessing of RGB 0-255: 'caffe' = BGR minus the ImageNet mean, 'tf' = x / 127.5 - 1,
# 'torch' = (x / 255 - mean) / std, 'none' = the network does it itself.
ZOO = {
    "ResNet": ("resnet.ResNet50", "caffe", 224, "conv5_block3_out", "conv5_block1_1_conv"),
    "ResNet18": ("resnet18.ResNet18", "torch", 224, "conv5_block2_out", "conv5_block1_1_conv"),  # network/resnet18.py
    "ResNet50": ("resnet.ResNet50", "caffe", 224, "conv5_block3_out", "conv5_block1_1_conv"),
    "ResNet101": ("resnet.ResNet101", "caffe", 224, "conv5_block3_out", "conv5_block1_1_conv"),
    "ResNet152": ("resnet.ResNet152", "caffe", 224, "conv5_block3_out", "conv5_block1_1_conv"),
    "ResNet50V2": ("resnet_v2.ResNet50V2", "tf", 224, "post_relu", "conv5_block1_preact_bn"),
    "ResNet101V2": ("resnet_v2.ResNet101V2", "tf", 224, "post_relu", "conv5_block1_preact_bn"),
    "ResNet152V2": ("resnet_v2.ResNet152V2", "tf", 224, "post_relu", "conv5_block1_preact_bn"),
    "VGG16": ("vgg16.VGG16", "caffe", 224, "block5_conv3", "block5_conv1"),
    "VGG19": ("vgg19.VGG19", "caffe", 224, "block5_conv4", "block5_conv1"),
    "Xception": ("xception.Xception", "tf", 299, "block14_sepconv2_act", "block14_sepconv1"),
    "InceptionV3": ("inception_v3.InceptionV3", "tf", 299, "mixed10", "mixed8"),
    "InceptionResNetV2": ("inception_resnet_v2.InceptionResNetV2", "tf", 299, "conv_7b_ac", "mixed_7a"),
    "DenseNet121": ("densenet.DenseNet121", "torch", 224, "relu", "conv5_block1_0_bn"),
    "DenseNet169": ("densenet.DenseNet169", "torch", 224, "relu", "conv5_block1_0_bn"),
    "DenseNet201": ("densenet.DenseNet201", "torch", 224, "relu", "conv5_block1_0_bn"),
    "MobileNet": ("mobilenet.MobileNet", "tf", 224, "conv_pw_13_relu", "conv_dw_12"),
    "MobileNetV2": ("mobilenet_v2.MobileNetV2", "tf", 224, "out_relu", "block_15_expand"),
    "MobileNetV3Small": ("mobilenet_v3.MobileNetV3Small", "none", 224, None, "expanded_conv_9_expand"),
    "MobileNetV3Large": ("mobilenet_v3.MobileNetV3Large", "none", 224, None, "expanded_conv_13_expand"),
    "NASNetMobile": ("nasnet.NASNetMobile", "tf", 224, None, "normal_conv_1_12"),
    "NASNetLarge": ("nasnet.NASNetLarge", "tf", 331, None, "normal_conv_1_18"),
    "EfficientNetB0": ("efficientnet.EfficientNetB0", "none", 224, "top_activation", "block7a_expand_conv"),
    "EfficientNetB1": ("efficientnet.EfficientNetB1", "none", 240, "top_activation", "block7a_expand_conv"),
    "EfficientNetB2": ("efficientnet.EfficientNetB2", "none", 260, "top_activation", "block7a_expand_conv"),
    "EfficientNetB3": ("efficientnet.EfficientNetB3", "none", 300, "top_activation", "block7a_expand_conv"),
    "EfficientNetB4": ("efficientnet.EfficientNetB4", "none", 380, "top_activation", "block7a_expand_conv"),
    "EfficientNetB5": ("efficientnet.EfficientNetB5", "none", 456, "top_activation", "block7a_expand_conv"),
    "EfficientNetB6": ("efficientnet.EfficientNetB6", "none", 528, "top_activation", "block7a_expand_conv"),
    "EfficientNetB7": ("efficientnet.EfficientNetB7", "none", 600, "top_activation", "block7a_expand_conv"),
    "EfficientNetV2B0": ("efficientnet_v2.EfficientNetV2B0", "none", 224, "top_activation", "block6a_expand_conv"),
    "EfficientNetV2B1": ("efficientnet_v2.EfficientNetV2B1", "none", 240, "top_activation", "block6a_expand_conv"),
    "EfficientNetV2B2": ("efficientnet_v2.EfficientNetV2B2", "none", 260, "top_activation", "block6a_expand_conv"),
    "EfficientNetV2B3": ("efficientnet_v2.EfficientNetV2B3", "none", 300, "top_activation", "block6a_expand_conv"),
    "EfficientNetV2S": ("efficientnet_v2.EfficientNetV2S", "none", 384, "top_activation", "block6a_expand_conv"),
    "EfficientNetV2M": ("efficientnet_v2.EfficientNetV2M", "none", 480, "top_activation", "block7a_expand_conv"),
    "EfficientNetV2L": ("efficientnet_v2.EfficientNetV2L", "none", 480, "top_activation", "block7a_expand_conv"),
    "ConvNeXtTiny": ("convnext.ConvNeXtTiny", "none", 224, None, "convnext_tiny_stage_3_block_0_depthwise_conv"),
    "ConvNeXtSmall": ("convnext.ConvNeXtSmall", "none", 224, None, "convnext_small_stage_3_block_0_depthwise_conv"),
    "ConvNeXtBase": ("convnext.ConvNeXtBase", "none", 224, None, "convnext_base_stage_3_block_0_depthwise_conv"),
    "ConvNeXtLarge": ("convnext.ConvNeXtLarge", "none", 224, None, "convnext_large_stage_3_block_0_depthwise_conv"),
    "ConvNeXtXLarge": ("convnext.ConvNeXtXLarge", "none", 224, None, "convnext_xlarge_stage_3_block_0_depthwise_conv"),
}
MODEL_NAME_DEMO = "ResNetDemo"  # the small residual network that is part of the repository
PREPROCESSING = {  # of RGB 0-255, in words
    "none": "none (RGB 0-255)",
    "unit": "x / 255",
    "tf": "x / 127.5 - 1",
    "caffe": "BGR minus the ImageNet mean",
    "torch": "(x / 255 - mean) / std of ImageNet",
}
SCORES = ("auto", "softmax", "sigmoid", "none")  # what a model's outputs are; none: numbers that stand for themselves

# --- images, labels and the embedded data -----------------------------------------------------------------------------
IMAGE_SUFFIXES = (  # compared in lower case
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".avif",
)
MAX_IMAGE_PIXELS = 50_000_000  # width x height; a larger image is refused before it is decoded
MAX_ASPECT_DIFFERENCE = 0.02  # relative, between a density map and its image
LABEL_LEVELS = ("style", "monument")  # what a MexCulture142 name is a class of
STYLES = ("Colonial", "Modern", "Prehispanic")  # alphabetical: the class order of a folder of classes
DEMO_FOLDER = "demo_data"  # where the embedded data set is drawn
DEMO_MONUMENTS = 142  # two views each, as in MexCulture142
DEMO_LIMIT = 12  # images of the embedded data that a run without flags explains
DEMO_PREPROCESSING = "tf"
DEMO_INPUT_SIZE = 128  # side in pixels of ResNetDemo's images

# --- gaze -------------------------------------------------------------------------------------------------------------
SCREEN_WIDTH_PX = 1920  # the screen on which MexCulture142 was shown
SCREEN_HEIGHT_PX = 1200
SCREEN_HEIGHT_MM = 325
VIEWING_DISTANCE_MM = 900
FIXATION_ANGLE_DEG = 2.0  # sigma of the Gaussian of one fixation, in degrees of visual angle
GAZE_FOLDER = "gaze_results"  # what gaze.py writes

# --- explainers, by the flags that show them --------------------------------------------------------------------------
GRADCAM_VARIANTS = ("paper", "lab")
GRADCAM_VARIANT = "paper"
FEM_K = 2.0  # deviations above the channel's mean
RISE_N_MASKS = 4000
RISE_MASK_SIZE = 8  # cells along a side
RISE_THRESHOLD = 0.5  # probability that a cell is kept
RISE_VARIANTS = ("paper", "lab")
RISE_VARIANT = "paper"
RISE_BORDERS = ("clamp", "reflect")  # of a mask, beyond the centres of its outermost cells
RISE_BORDER = "clamp"
RISE_DRAWS = ("independent", "antithetic")  # of masks: each for itself, or in pairs of which one keeps what one hides
RISE_DRAW = "independent"
RISE_TOLERANCE = None  # standard error of the map at which masks stop; None: all masks
LIME_TOP_LABELS = 1
LIME_HIDE_COLOR = None  # the superpixel's mean colour
LIME_NUM_FEATURES = 100_000  # all superpixels
LIME_NUM_SAMPLES = 1000
LIME_POSITIVE_ONLY = True
LIME_NEGATIVE_ONLY = False
LIME_NUM_SUPERPIXELS = 5  # shown in the mask of the best
LIME_HIDE_REST = False
LIME_DISTANCE_METRICS = ("cosine", "euclidean", "l1")  # between the superpixels of a sample and all of them
LIME_DISTANCE_METRIC = "cosine"
LIME_VARIANTS = ("coefficients", "mask")  # of the map; the lab measures the mask of the best superpixels
LIME_VARIANT = "coefficients"
GRADCAM_PLUS_PLUS_VARIANTS = ("paper", "code")
GRADCAM_PLUS_PLUS_VARIANT = "paper"
SCORECAM_VARIANTS = ("paper", "code")
SCORECAM_VARIANT = "paper"
SCORECAM_MAX_N = None  # all channels
SMOOTHGRAD_METHODS = (  # the gradient methods that can be smoothed
    "VANILLA_GRADIENT",
    "GRADIENT_INPUT",
    "INTEGRATED_GRADIENTS",
    "DECONVNET",
    "GUIDED_BACKPROP",
)
SMOOTHGRAD_OVER = "VANILLA_GRADIENT"
SMOOTHGRAD_N_SAMPLES = 50
SMOOTHGRAD_NOISE = 0.15  # sigma over max - min of the image
SMOOTHGRAD_VARIANTS = ("mean", "squared", "absolute")
SMOOTHGRAD_VARIANT = "mean"
INTEGRATED_GRADIENTS_N_STEPS = 50
INTEGRATED_GRADIENTS_TOLERANCE = None  # share of S(x) - S(black) that the map's sum may miss; None: any
OCCLUSION_PATCH = None  # a seventh of the input's shorter side
OCCLUSION_STRIDE = None  # half a patch
OCCLUSION_FILL = 127.0  # grey value
KERNEL_SHAP_NUM_SAMPLES = 1000

# --- metrics ----------------------------------------------------------------------------------------------------------
USUAL_FAITHFULNESS = "curves,drop"  # what a run asks by default, of metrics.catalogue.FAITHFULNESS
# Deletion and insertion: n_pixels changed per step (None: one image row's worth); Gaussian blur of the image
# that insertion starts from: kernel_size (odd) and sigma in pixels (0: OpenCV's choice for the kernel).
FAITHFULNESS_PROTOCOLS = {
    "rise": {"n_pixels": None, "kernel_size": 11, "sigma": 5.0},
    "black": {"n_pixels": None, "kernel_size": 11, "sigma": 5.0},
    "lab": {"n_pixels": 500, "kernel_size": 127, "sigma": 0.0},
}
CONSTANT_MAP_TOLERANCE = 1e-6  # range over largest magnitude; below it a float32 map varies by rounding alone
POINTING_TOLERANCE = 15  # pixels from a box, nearer than which a maximum still points at it
SIGNIFICANCE = 0.05  # a difference stands if its corrected p-value lies below

# --- pictures ---------------------------------------------------------------------------------------------------------
COLORMAP = "jet"  # the lab's; 'turbo' and 'inferno' are perceptually better
ALPHA = 0.5  # share of the heat map laid over an image, 0-1
FIGURE_FORMATS = ("png", "pdf", "svg")
FIGURE_DPI = 120  # pixels per inch
CELL_SIDE = 1.75  # inches: the square that a picture is centred in
FONT_SIZE = 7.5  # points; notes and ticks are 0.85 times, headings 1.3 times as large
COLOUR_INSERTION = "#0072B2"  # blue and vermilion of Okabe and Ito: distinct to every reader
COLOUR_DELETION = "#D55E00"
COLOUR_QUIET = "#8c8c8c"  # spines, ticks, notes
COLOURS_OVERLAP = ("#D55E00", "#0072B2", "#F0E442")  # only the first map, only the second, both (Okabe and Ito)
ROWS_PER_PAGE = 6  # images on a page of the grid display
N_FIGURES = 12  # images of a method that are drawn unless --figures asks for others: two pages
N_EXTREMES = 3  # of those that are not among them, so many of the best and so many of the worst

# --- training ---------------------------------------------------------------------------------------------------------
DROPOUT = 0.3  # share of the pooled features that are left out in training
LABEL_THRESHOLD = 0.5  # of several labels, those more probable than this are predicted
MIL_POSITIONS = 4  # of the backbone's last map, along the side of a patch whose size is not given
MIL_ATTENTION_UNITS = 64  # of the hidden layer that weighs a patch

# --- units ------------------------------------------------------------------------------------------------------------
# How an image is made: where it starts (noise: deviation in grey levels, of the Fourier start in coefficients), what
# is charged against the score (l2, total_variation: weights of means, pixels in units of 127.5 about mid-grey), what
# happens to the image before each look (see transforms.py), learning_rate: largest usual change of a pixel in grey
# levels, or of a Fourier coefficient, per step.
VISUALIZATION_METHODS = {
    "CLASS_MODEL": {
        "parametrisation": "pixels",
        "noise": 0.0,
        "l2": 40.0,
        "total_variation": 0.0,
        "saliency": False,
        "learning_rate": 2.0,
        "n_steps": 256,
        "transforms": {},
    },
    "FOURIER": {
        "parametrisation": "fourier",
        "noise": 0.01,
        "l2": 0.0,
        "total_variation": 0.0,
        "saliency": False,
        "learning_rate": 0.05,
        "n_steps": 256,
        "transforms": {"rotation_deg": 10.0, "scale": 0.1, "shift": 0.06},
    },
    "CLASS_IMPRESSION": {
        "parametrisation": "pixels",
        "noise": 25.0,
        "l2": 0.0,
        "total_variation": 100.0,
        "saliency": True,
        "learning_rate": 3.0,
        "n_steps": 256,
        "transforms": {"rotation_deg": 10.0, "scale": 0.1, "crop": 0.2, "rgb_jitter": 10.0},
    },
}
DISSECTION_SHARE = 0.005  # of the positions of all images, at which a unit is active: P(a_k > T_k)
DISSECTION_MIN_IOU = 0.04  # above which a unit detects its best concept

# --- the page and the report ------------------------------------------------------------------------------------------
TITLE = "Where does the network look?"
PAGE_HOST = "127.0.0.1"  # this machine only
PAGE_PORT = 7860
PAGE_MAX_UPLOAD = 20 * 2**20  # bytes of a file
