"""The champion at work: encode_data, input_features_check, load_model, prediction_col_check."""
