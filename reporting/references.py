"""The papers that a report cites: BibTeX entries, and which method, metric and test is whose."""

from collections.abc import Iterable

PAPER_OF_METHOD = {
    "GRADCAM": "selvaraju2017",
    "FEM": "fuad2020",
    "RISE": "petsiuk2018",
    "LIME": "ribeiro2016",
    "CAM": "zhou2016",
    "GRADCAM_PLUS_PLUS": "chattopadhay2018",
    "HIRESCAM": "draelos2020",
    "LAYERCAM": "jiang2021",
    "SCORECAM": "wang2020",
    "ABLATIONCAM": "desai2020",
    "VANILLA_GRADIENT": "simonyan2014",
    "GRADIENT_INPUT": "shrikumar2016",
    "SMOOTHGRAD": "smilkov2017",
    "INTEGRATED_GRADIENTS": "sundararajan2017",
    "DECONVNET": "zeiler2014",
    "GUIDED_BACKPROP": "springenberg2015",
    "GUIDED_GRADCAM": "selvaraju2017",
    "OCCLUSION": "zeiler2014",
    "KERNEL_SHAP": "lundberg2017",
    "ATTENTION": "ilse2018",
}
PAPER_OF_METRIC = {
    "pcc": "bylinskii2019",
    "sim": "bylinskii2019",
    "kl": "bylinskii2019",
    "ssim": "wang2004",
    "nss": "bylinskii2019",
    "auc_judd": "bylinskii2019",
    "auc_borji": "bylinskii2019",
    "sauc": "bylinskii2019",
    "information_gain": "kummerer2015",
    "insertion_auc": "petsiuk2018",
    "deletion_auc": "petsiuk2018",
    "average_drop": "chattopadhay2018",
    "increase": "chattopadhay2018",
    "road": "rong2022",
    "mufidelity": "bhatt2020",
    "sensitivity": "yeh2019",
}
BOOTSTRAP, WILCOXON, HOLM, RANK_BISERIAL = "efron1979", "wilcoxon1945", "holm1979", "kerby2014"

CVPR = "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition"
ENTRIES = {  # key -> kind and fields of its BibTeX entry
    "bhatt2020": {
        "kind": "inproceedings",
        "author": "Bhatt, Umang and Weller, Adrian and Moura, Jos{\\'e} M. F.",
        "title": "Evaluating and Aggregating Feature-based Model Explanations",
        "booktitle": "International Joint Conference on Artificial Intelligence",
        "pages": "3016--3022",
        "year": "2020",
    },
    "bylinskii2019": {
        "kind": "article",
        "author": "Bylinskii, Zoya and Judd, Tilke and Oliva, Aude and Torralba, Antonio and Durand, Fr{\\'e}do",
        "title": "What Do Different Evaluation Metrics Tell Us About Saliency Models?",
        "journal": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
        "volume": "41",
        "number": "3",
        "pages": "740--757",
        "year": "2019",
        "doi": "10.1109/TPAMI.2018.2815601",
    },
    "chattopadhay2018": {
        "kind": "inproceedings",
        "author": "Chattopadhay, Aditya and Sarkar, Anirban and Howlader, Prantik and Balasubramanian, Vineeth N.",
        "title": "{Grad-CAM++}: Generalized Gradient-Based Visual Explanations for Deep Convolutional Networks",
        "booktitle": "IEEE Winter Conference on Applications of Computer Vision",
        "pages": "839--847",
        "year": "2018",
        "doi": "10.1109/WACV.2018.00097",
    },
    "desai2020": {
        "kind": "inproceedings",
        "author": "Desai, Saurabh and Ramaswamy, Harish G.",
        "title": "{Ablation-CAM}: Visual Explanations for Deep Convolutional Network via Gradient-free Localization",
        "booktitle": "IEEE Winter Conference on Applications of Computer Vision",
        "year": "2020",
        "doi": "10.1109/WACV45572.2020.9093360",
    },
    "draelos2020": {
        "kind": "misc",
        "author": "Draelos, Rachel Lea and Carin, Lawrence",
        "title": "Use {HiResCAM} instead of {Grad-CAM} for faithful explanations of convolutional neural networks",
        "howpublished": "arXiv:2011.08891",
        "year": "2020",
    },
    "efron1979": {
        "kind": "article",
        "author": "Efron, Bradley",
        "title": "Bootstrap Methods: Another Look at the Jackknife",
        "journal": "The Annals of Statistics",
        "volume": "7",
        "number": "1",
        "pages": "1--26",
        "year": "1979",
        "doi": "10.1214/aos/1176344552",
    },
    "fuad2020": {
        "kind": "inproceedings",
        "author": "Fuad, Kazi Ahmed Asif and Martin, Pierre-Etienne and Giot, Romain and Bourqui, Romain and "
        "Benois-Pineau, Jenny and Zemmari, Akka",
        "title": "Features Understanding in {3D} {CNNs} for Actions Recognition in Video",
        "booktitle": "International Conference on Image Processing Theory, Tools and Applications",
        "pages": "1--6",
        "year": "2020",
        "doi": "10.1109/IPTA50016.2020.9286629",
    },
    "holm1979": {
        "kind": "article",
        "author": "Holm, Sture",
        "title": "A Simple Sequentially Rejective Multiple Test Procedure",
        "journal": "Scandinavian Journal of Statistics",
        "volume": "6",
        "number": "2",
        "pages": "65--70",
        "year": "1979",
    },
    "ilse2018": {
        "kind": "inproceedings",
        "author": "Ilse, Maximilian and Tomczak, Jakub M. and Welling, Max",
        "title": "Attention-based Deep Multiple Instance Learning",
        "booktitle": "International Conference on Machine Learning",
        "pages": "2127--2136",
        "year": "2018",
    },
    "jiang2021": {
        "kind": "article",
        "author": "Jiang, Peng-Tao and Zhang, Chang-Bin and Hou, Qibin and Cheng, Ming-Ming and Wei, Yunchao",
        "title": "{LayerCAM}: Exploring Hierarchical Class Activation Maps for Localization",
        "journal": "IEEE Transactions on Image Processing",
        "volume": "30",
        "pages": "5875--5888",
        "year": "2021",
        "doi": "10.1109/TIP.2021.3089943",
    },
    "kerby2014": {
        "kind": "article",
        "author": "Kerby, Dave S.",
        "title": "The Simple Difference Formula: An Approach to Teaching Nonparametric Correlation",
        "journal": "Comprehensive Psychology",
        "volume": "3",
        "pages": "11.IT.3.1",
        "year": "2014",
        "doi": "10.2466/11.IT.3.1",
    },
    "kummerer2015": {
        "kind": "article",
        "author": 'K{\\"u}mmerer, Matthias and Wallis, Thomas S. A. and Bethge, Matthias',
        "title": "Information-theoretic model comparison unifies saliency metrics",
        "journal": "Proceedings of the National Academy of Sciences",
        "volume": "112",
        "number": "52",
        "pages": "16054--16059",
        "year": "2015",
        "doi": "10.1073/pnas.1510393112",
    },
    "lundberg2017": {
        "kind": "inproceedings",
        "author": "Lundberg, Scott M. and Lee, Su-In",
        "title": "A Unified Approach to Interpreting Model Predictions",
        "booktitle": "Advances in Neural Information Processing Systems",
        "pages": "4765--4774",
        "year": "2017",
    },
    "petsiuk2018": {
        "kind": "inproceedings",
        "author": "Petsiuk, Vitali and Das, Abir and Saenko, Kate",
        "title": "{RISE}: Randomized Input Sampling for Explanation of Black-box Models",
        "booktitle": "British Machine Vision Conference",
        "year": "2018",
    },
    "ribeiro2016": {
        "kind": "inproceedings",
        "author": "Ribeiro, Marco Tulio and Singh, Sameer and Guestrin, Carlos",
        "title": "``{Why} Should {I} Trust You?'': Explaining the Predictions of Any Classifier",
        "booktitle": "ACM SIGKDD International Conference on Knowledge Discovery and Data Mining",
        "pages": "1135--1144",
        "year": "2016",
    },
    "rong2022": {
        "kind": "inproceedings",
        "author": "Rong, Yao and Leemann, Tobias and Borisov, Vadim and Kasneci, Gjergji and Kasneci, Enkelejda",
        "title": "A Consistent and Efficient Evaluation Strategy for Attribution Methods",
        "booktitle": "International Conference on Machine Learning",
        "pages": "18770--18795",
        "year": "2022",
    },
    "selvaraju2017": {
        "kind": "inproceedings",
        "author": "Selvaraju, Ramprasaath R. and Cogswell, Michael and Das, Abhishek and Vedantam, Ramakrishna and "
        "Parikh, Devi and Batra, Dhruv",
        "title": "{Grad-CAM}: Visual Explanations from Deep Networks via Gradient-Based Localization",
        "booktitle": "IEEE International Conference on Computer Vision",
        "pages": "618--626",
        "year": "2017",
        "doi": "10.1109/ICCV.2017.74",
    },
    "shrikumar2016": {
        "kind": "misc",
        "author": "Shrikumar, Avanti and Greenside, Peyton and Shcherbina, Anna and Kundaje, Anshul",
        "title": "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
        "howpublished": "arXiv:1605.01713",
        "year": "2016",
    },
    "simonyan2014": {
        "kind": "inproceedings",
        "author": "Simonyan, Karen and Vedaldi, Andrea and Zisserman, Andrew",
        "title": "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "booktitle": "International Conference on Learning Representations, Workshop",
        "year": "2014",
    },
    "smilkov2017": {
        "kind": "misc",
        "author": "Smilkov, Daniel and Thorat, Nikhil and Kim, Been and Vi{\\'e}gas, Fernanda and Wattenberg, Martin",
        "title": "{SmoothGrad}: removing noise by adding noise",
        "howpublished": "arXiv:1706.03825",
        "year": "2017",
    },
    "springenberg2015": {
        "kind": "inproceedings",
        "author": "Springenberg, Jost Tobias and Dosovitskiy, Alexey and Brox, Thomas and Riedmiller, Martin",
        "title": "Striving for Simplicity: The All Convolutional Net",
        "booktitle": "International Conference on Learning Representations, Workshop",
        "year": "2015",
    },
    "sundararajan2017": {
        "kind": "inproceedings",
        "author": "Sundararajan, Mukund and Taly, Ankur and Yan, Qiqi",
        "title": "Axiomatic Attribution for Deep Networks",
        "booktitle": "International Conference on Machine Learning",
        "pages": "3319--3328",
        "year": "2017",
    },
    "wang2004": {
        "kind": "article",
        "author": "Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.",
        "title": "Image Quality Assessment: From Error Visibility to Structural Similarity",
        "journal": "IEEE Transactions on Image Processing",
        "volume": "13",
        "number": "4",
        "pages": "600--612",
        "year": "2004",
        "doi": "10.1109/TIP.2003.819861",
    },
    "wang2020": {
        "kind": "inproceedings",
        "author": "Wang, Haofan and Wang, Zifan and Du, Mengnan and Yang, Fan and Zhang, Zijian and Ding, Sirui and "
        "Mardziel, Piotr and Hu, Xia",
        "title": "{Score-CAM}: Score-Weighted Visual Explanations for Convolutional Neural Networks",
        "booktitle": f"{CVPR} Workshops",
        "pages": "111--119",
        "year": "2020",
    },
    "wilcoxon1945": {
        "kind": "article",
        "author": "Wilcoxon, Frank",
        "title": "Individual Comparisons by Ranking Methods",
        "journal": "Biometrics Bulletin",
        "volume": "1",
        "number": "6",
        "pages": "80--83",
        "year": "1945",
        "doi": "10.2307/3001968",
    },
    "yeh2019": {
        "kind": "inproceedings",
        "author": "Yeh, Chih-Kuan and Hsieh, Cheng-Yu and Suggala, Arun Sai and Inouye, David I. and "
        "Ravikumar, Pradeep",
        "title": "On the (In)fidelity and Sensitivity of Explanations",
        "booktitle": "Advances in Neural Information Processing Systems",
        "year": "2019",
    },
    "zeiler2014": {
        "kind": "inproceedings",
        "author": "Zeiler, Matthew D. and Fergus, Rob",
        "title": "Visualizing and Understanding Convolutional Networks",
        "booktitle": "European Conference on Computer Vision",
        "pages": "818--833",
        "year": "2014",
    },
    "zhou2016": {
        "kind": "inproceedings",
        "author": "Zhou, Bolei and Khosla, Aditya and Lapedriza, Agata and Oliva, Aude and Torralba, Antonio",
        "title": "Learning Deep Features for Discriminative Localization",
        "booktitle": CVPR,
        "year": "2016",
    },
}
LETTERS = {"{\\'e}": "é", '{\\"u}': "ü", "``": "“", "''": "”", "--": "–", "{": "", "}": ""}  # noqa: RUF001 a page's own


def write_bibtex(keys: Iterable[str]) -> str:
    """The BibTeX file of these entries."""
    return "\n".join(map(_write_entry, keys))


def _write_entry(key: str) -> str:
    fields = dict(ENTRIES[key])
    lines = [f"@{fields.pop('kind')}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"]
    return "\n".join(lines) + "\n"


def describe(key: str) -> str:
    """An entry as one line of text."""
    fields = ENTRIES[key]
    names = [" ".join(reversed(name.split(", "))) for name in fields["author"].split(" and ")]
    where = fields.get("booktitle") or fields.get("journal") or fields["howpublished"]
    if "volume" in fields:
        where += f" {fields['volume']}" + (f"({fields['number']})" if "number" in fields else "")
    where += f", {fields['pages']}" if "pages" in fields else ""
    text = f"{', '.join(names)}. {fields['title']}. {where}, {fields['year']}."
    for tex, letter in LETTERS.items():
        text = text.replace(tex, letter)
    return text.replace("?.", "?")
