"""Every way to explain one prediction: one class a module, each in the contract of `base.py`.

The lab's four stand in the root, the others here; `registry.py` turns the names of `--explanation_method` into them.

    GRADCAM                gradcam.py                            of the root
    FEM                    fem.py                                of the root
    RISE                   rise.py                               of the root
    LIME                   lime_explainer.py                     of the root
    CAM                    explainers/cam.py
    GRADCAM_PLUS_PLUS      explainers/gradcam_plus_plus.py
    HIRESCAM               explainers/hirescam.py
    LAYERCAM               explainers/layercam.py
    SCORECAM               explainers/scorecam.py
    ABLATIONCAM            explainers/ablationcam.py
    VANILLA_GRADIENT       explainers/vanilla_gradient.py
    GRADIENT_INPUT         explainers/gradient_input.py
    SMOOTHGRAD             explainers/smoothgrad.py
    INTEGRATED_GRADIENTS   explainers/integrated_gradients.py
    DECONVNET              explainers/deconvnet.py
    GUIDED_BACKPROP        explainers/guided_backprop.py
    GUIDED_GRADCAM         explainers/guided_gradcam.py
    OCCLUSION              explainers/occlusion.py
    KERNEL_SHAP            explainers/kernel_shap.py             superpixels.py serves it and LIME
    ATTENTION              explainers/attention.py               of the models that attention_mil.py trains

The maps that every method must beat, such as noise and a Gaussian in the centre, are explainers of their own module.
Imports network, metrics.baselines, utils and constants. The pipeline, units, training, the rooms above them and the
commands may import it; a module of a class is loaded only when its method is asked for.
"""
