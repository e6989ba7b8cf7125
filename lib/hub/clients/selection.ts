/** Whom a message is for. Plain data, so that a backplane can carry it. */
export type Selection =
	| { readonly kind: "all"; readonly except?: readonly string[] | undefined }
	| { readonly kind: "client"; readonly connectionId: string }
	| {
			readonly kind: "clients";
			readonly connectionIds: readonly string[];
			readonly except?: readonly string[] | undefined;
	  }
	| {
			readonly kind: "groups";
			readonly groups: readonly string[];
			readonly except?: readonly string[] | undefined;
	  }
	| {
			readonly kind: "users";
			readonly userIds: readonly string[];
			readonly except?: readonly string[] | undefined;
	  };
